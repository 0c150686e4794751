// What the cores leave to the technology: clock gates, buffers, memories.

(* blackbox *)
module CLKGATE (input logic CK, E, TE, output logic Q);
endmodule

module cv32e40p_clock_gate (input logic clk_i, en_i, scan_cg_en_i, output logic clk_o);
  CLKGATE gate (.CK(clk_i), .E(en_i), .TE(scan_cg_en_i), .Q(clk_o));
endmodule

module prim_clock_gating #(
  parameter bit NoFpgaGate = 0,
  parameter bit FpgaBufGlobal = 0
) (input logic clk_i, en_i, test_en_i, output logic clk_o);
  CLKGATE gate (.CK(clk_i), .E(en_i), .TE(test_en_i), .Q(clk_o));
endmodule

module prim_buf #(parameter int Width = 1) (input logic [Width-1:0] in_i, output logic [Width-1:0] out_o);
  assign out_o = in_i;
endmodule

module prim_ram_1p #(
  parameter int Width = 32,
  parameter int Depth = 128,
  parameter int DataBitsPerMask = 1
) (
  input logic clk_i, req_i, write_i,
  input logic [$clog2(Depth)-1:0] addr_i,
  input logic [Width-1:0] wdata_i, wmask_i,
  output logic [Width-1:0] rdata_o,
  input logic [9:0] cfg_i
);
  logic [Width-1:0] words [Depth];
  always_ff @(posedge clk_i)
    if (req_i)
      if (write_i) words[addr_i] <= wdata_i;
      else rdata_o <= words[addr_i];
endmodule
