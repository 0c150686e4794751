// A full adder with a constant input becomes gates, which the optimiser makes fewer.

module FA (A, B, CI, S, CO);
  input A, B, CI;
  output S, CO;
  parameter _TECHMAP_CONSTMSK_A_ = 0;
  parameter _TECHMAP_CONSTMSK_B_ = 0;
  parameter _TECHMAP_CONSTMSK_CI_ = 0;
  wire _TECHMAP_FAIL_ = !(_TECHMAP_CONSTMSK_A_ | _TECHMAP_CONSTMSK_B_ | _TECHMAP_CONSTMSK_CI_);
  assign S = A ^ B ^ CI;
  assign CO = (A & B) | (CI & (A | B));
endmodule
