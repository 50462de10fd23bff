# svasim_library(<name> FOLDER <dir> [SOURCES ...] [DEPS ...])
#
# A layer of the design as one target. Headers are reachable as "<dir>/x.h", and only by targets
# that link the layer: each layer gets an include root of its own that holds nothing else, so an
# include the layering forbids does not compile.
function(svasim_library name)
  cmake_parse_arguments(ARG "" "FOLDER" "SOURCES;DEPS;PRIVATE_DEPS" ${ARGN})
  set(root ${PROJECT_BINARY_DIR}/include_roots/${name})
  get_filename_component(parent ${root}/${ARG_FOLDER} DIRECTORY)
  file(MAKE_DIRECTORY ${parent})
  file(CREATE_LINK ${PROJECT_SOURCE_DIR}/${ARG_FOLDER} ${root}/${ARG_FOLDER} SYMBOLIC)
  if(ARG_SOURCES)
    add_library(${name} STATIC ${ARG_SOURCES})
    target_include_directories(${name} PUBLIC ${root})
    target_link_libraries(${name} PUBLIC ${ARG_DEPS} PRIVATE ${ARG_PRIVATE_DEPS} svasim_warnings)
  else()
    add_library(${name} INTERFACE)
    target_include_directories(${name} INTERFACE ${root})
    target_link_libraries(${name} INTERFACE ${ARG_DEPS})
  endif()
endfunction()

# Our own code compiles without a warning; libraries' headers are SYSTEM and do not count.
add_library(svasim_warnings INTERFACE)
target_compile_options(svasim_warnings INTERFACE
  -Wall -Wextra -Wshadow -Wconversion -Wimplicit-fallthrough -Werror)
# WHY: g++ 12 reports it falsely for nlohmann::json's destructor when optimising.
target_compile_options(svasim_warnings INTERFACE -Wno-maybe-uninitialized)

# WHY: results are the same bytes on every machine; a fused multiply-add rounds once instead of twice.
add_compile_options(-ffp-contract=off)

if(SVASIM_SANITIZE)
  string(REPLACE "," ";" sanitizers "${SVASIM_SANITIZE}")
  foreach(sanitizer IN LISTS sanitizers)
    add_compile_options(-fsanitize=${sanitizer} -fno-omit-frame-pointer)
    add_link_options(-fsanitize=${sanitizer})
  endforeach()
  add_compile_options(-fno-sanitize-recover=all)
endif()
if(SVASIM_COVERAGE)
  add_compile_options(--coverage)
  add_link_options(--coverage)
endif()

# svasim_test(<name> SOURCES ... DEPS ... [SYSTEMC])
#
# One executable of GoogleTest cases; ctest runs every case in a process of its own, as the
# SystemC kernel cannot be started twice. SYSTEMC adds the sc_main that fails a test on any
# SC_REPORT warning.
function(svasim_test name)
  cmake_parse_arguments(ARG "SYSTEMC" "TIMEOUT" "SOURCES;DEPS;LABELS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE ${ARG_DEPS} svasim_warnings)
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR}/testbenches)
  if(ARG_SYSTEMC)
    target_link_libraries(${name} PRIVATE svasim_systemc_test_main)
  else()
    target_link_libraries(${name} PRIVATE svasim_test_main)
  endif()
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 300)
  endif()
  gtest_discover_tests(${name} TEST_PREFIX "${name}." DISCOVERY_MODE PRE_TEST
    WORKING_DIRECTORY ${PROJECT_SOURCE_DIR}
    PROPERTIES TIMEOUT ${ARG_TIMEOUT} LABELS "${ARG_LABELS}")
endfunction()
