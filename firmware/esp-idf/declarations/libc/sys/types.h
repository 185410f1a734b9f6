/* ISO C11 and POSIX, as newlib of esp-idf has it: file offsets of FAT are 32 bits */
#pragma once
typedef long off_t;
typedef int ssize_t;
