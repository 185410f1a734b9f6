# $(call check,SOURCES,FLAGS): types and warnings of many sources in one process: clang takes longer to start than to read one. What it finds is told
# on standard error, without the counts that stand there otherwise. It must have one check of its own.
CLANG_TIDY ?= clang-tidy-19
check = $(CLANG_TIDY) --quiet --checks='-*,misc-static-assert' $1 -- $2 >&2 2>/dev/null
