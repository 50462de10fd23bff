// Rules of one first-stage page-table entry: is it present, well formed, a leaf, and where does it
// point. Combinational; knows nothing of the walk. SPEC: [VTD 3.6, 9.8]
module svasim_fs_entry
  import svasim_walker_pkg::*;
(
  input  logic [63:0] entry_i,
  input  level_t      level_i,     // level of the table the entry is in
  input  logic [5:0]  haw_i,       // host address width: address bits from here up are reserved
  input  logic        fs1gp_i,     // 1-GiB pages exist

  output logic        present_o,
  output logic        reserved_o,  // a reserved bit is set; only meaningful if present
  output logic        leaf_o,
  output logic [63:0] address_o    // of the page or of the next table, low bits zero
);

  // Bits 51:12 can hold an address; 63:52 are ignored.
  localparam logic [63:0] AddressMask = 64'h000F_FFFF_FFFF_F000;

  logic        page_size;
  logic        page_size_allowed;
  logic [63:0] beyond_haw;
  logic [63:0] offset_mask;  // bits below the page number of a leaf at this level
  logic [63:0] pat_mask;     // bit 12 of a superpage is PAT and neither address nor reserved

  always_comb begin
    unique case (level_i)
      3'd3:    page_size_allowed = fs1gp_i;
      3'd2:    page_size_allowed = 1'b1;
      default: page_size_allowed = 1'b0;
    endcase
  end

  assign page_size = entry_i[EntryPs] && level_i != 3'd1;  // bit 7 of a 4-KiB entry is PAT
  assign present_o = entry_i[EntryP];
  assign leaf_o    = level_i == 3'd1 || page_size;

  assign beyond_haw  = AddressMask & (~64'd0 << haw_i);
  assign offset_mask = leaf_o ? (64'd1 << level_shift(level_i)) - 64'd1 : 64'hFFF;
  assign pat_mask    = 64'h1000;

  assign reserved_o = |(entry_i & beyond_haw) ||
                      (page_size && !page_size_allowed) ||
                      |(entry_i & AddressMask & offset_mask & ~pat_mask);

  assign address_o = entry_i & AddressMask & ~offset_mask;

endmodule
