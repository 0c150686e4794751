(* blackbox *)
module FA (input A, B, CI, output S, CO);
endmodule
