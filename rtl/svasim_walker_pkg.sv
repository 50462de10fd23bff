// Types and layouts of the page-table walker.
package svasim_walker_pkg;

  // Levels of the x86-64 first-stage format: 4 is the table FSPTPTR points to, 1 holds the entries
  // of 4-KiB pages. SPEC: [VTD 3.6]
  parameter int unsigned Levels = 4;
  // Bits of an IOVA that are translated; the higher ones repeat bit 47 in a canonical address.
  parameter int unsigned IovaWidth = 48;

  // Bits of a first-stage entry. SPEC: [VTD 9.8]
  parameter int unsigned EntryP = 0;
  parameter int unsigned EntryRw = 1;
  parameter int unsigned EntryUs = 2;
  parameter int unsigned EntryA = 5;
  parameter int unsigned EntryD = 6;
  parameter int unsigned EntryPs = 7;
  parameter int unsigned EntryEa = 10;

  // Fault reasons. SPEC: [VTD 7.1.3]
  typedef enum logic [7:0] {
    FaultNone         = 8'h00,
    FaultEntryAccess  = 8'h70,
    FaultNotPresent   = 8'h71,
    FaultReserved     = 8'h72,
    FaultTopAccess    = 8'h73,
    FaultNotCanonical = 8'h80,
    FaultUser         = 8'h81,
    FaultWrite        = 8'h85,
    FaultUpdateSnoop  = 8'h90,
    FaultUpdateFailed = 8'h91
  } fault_e;

  typedef enum logic [2:0] {
    StIdle,        // ready for a request
    StRead,        // asks memory for an entry
    StReadWait,    // until the entry is there
    StCheck,       // decides on the entry
    StUpdate,      // asks memory to set A/D bits if the entry is still the same
    StUpdateWait,  // until memory has done or refused it
    StResult       // shows the result
  } state_e;

  typedef logic [2:0] level_t;
  typedef logic [5:0] shift_t;

  // Everything of a request that stays the same during its walk.
  typedef struct packed {
    logic [63:0] iova;
    logic [5:0]  haw;
    logic        write;
    logic        user;
    logic        wpe;
    logic        need_access;
    logic        update_ad;
    logic        eafe;
    logic        snooped;
    logic        fs1gp;
  } request_t;

  // Lowest bit of an IOVA that an entry of `level` leaves untranslated, plus one: 12, 21, 30, 39.
  function automatic shift_t level_shift(level_t level);
    unique case (level)
      3'd1:    return 6'd12;
      3'd2:    return 6'd21;
      3'd3:    return 6'd30;
      default: return 6'd39;
    endcase
  endfunction

endpackage
