# Of nm's lines: the agent lives in other people's programs, so every global name begins as ours do. Fewer than `least` were not all.
NF == 3 { count++; if ($3 !~ /^(flota|ota|slot_staging|stk500)_/) { print "not ok - " $3 " has no prefix of ours"; bad = 1 } }
END { if (bad || count < least) exit 1; print "ok - every one of " count " global names has a prefix of ours" }
