# Adds up what the tests have printed and what the linker's map says of the agent's objects; fails when anything is over its budget.
# The map, not the objects: much of RISC-V's code goes only when it is linked.
function of_agent(section, hex, file) {
  size = hex_value(hex)
  if (!with_modules && file ~ /\/crash\.o$/ && section ~ /^\.text/) crash += size
  if (with_modules && section ~ /^\.text/) {
    if (file ~ /\/patch\.o$/) patcher += size
    else if (file ~ /\/delta\.o$/) glue += size
    else if (file ~ /\/(seal|hpke)\.o$/) seal += size
    else if (file ~ /\/ota_[a-z_]+\.o$/) code_with += size
  }
  if (with_modules || file !~ /\/ota_[a-z_]+\.o$/) return
  if (section ~ /^\.text/) code += size
  else if (section ~ /^\.s?rodata/) constants += size
  else globals += size
}
function hex_value(text, i, value) {
  value = 0
  for (i = 3; i <= length(text); i++) value = value * 16 + index("0123456789abcdef", substr(text, i, 1)) - 1
  return value
}
/ tests hold; stack / { tests += $(NF - 4); if ($NF > stack) stack = $NF }
/ seeds hold; stack / { seeds = $1; if ($NF > stack) stack = $NF }
/^With the modules/ { with_modules = 1; linked = 0 }
/^Linker script and memory map/ { linked = 1 }
# A long name of a section stands on a line of its own.
linked && /^ \.(text|s?rodata|s?data|s?bss)/ { if (NF == 1) section = $1; else of_agent($1, $3, $4); next }
linked && section { of_agent(section, $2, $3); section = "" }
/footprint/ { linked = 0; of_footprint = 1 }
of_footprint && $1 ~ /^\.(data|bss)/ { if ($1 ~ /delta/) delta_ram += $2; else if ($1 ~ /seal/) seal_ram += $2; else ram += $2 }
END {
  printf "%s: code %d bytes of %d, constants %d; crash reports %d of %d; RAM %d of %d without buffers, globals %d; stack %d of %d; %d tests and %d seeds ran\n", \
    name, code, code_budget, constants, crash, crash_budget, ram, ram_budget, globals, stack, stack_budget, tests, seeds
  printf "%s: delta %d bytes of %d (patcher %d, glue %d, in the agent for both modules %d); RAM %d of %d\n", \
    name, patcher + glue + code_with - code, delta_code_budget, patcher, glue, code_with - code, delta_ram, delta_ram_budget
  printf "%s: sealed objects %d bytes of %d; RAM %d of %d\n", name, seal, seal_code_budget, seal_ram, seal_ram_budget
  if (seal == 0 || seal_ram == 0) { print "sealed objects not measured"; exit 1 }
  if (seal > seal_code_budget || seal_ram > seal_ram_budget) { print "sealed objects over budget"; exit 1 }
  if (patcher == 0 || glue == 0 || delta_ram == 0) { print "delta not measured"; exit 1 }
  if (patcher + glue + code_with - code > delta_code_budget || delta_ram > delta_ram_budget) { print "delta over budget"; exit 1 }
  if (code == 0 || crash == 0 || ram == 0 || stack == 0 || tests == 0 || seeds == 0) { print "not measured"; exit 1 }
  if (code > code_budget || crash > crash_budget || ram > ram_budget || globals > 0 || stack > stack_budget) { print "over budget"; exit 1 }
}
