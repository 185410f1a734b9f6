/* zephyrproject-rtos/zephyr 00cafda, include/zephyr/storage/flash_map.h */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
struct device;
struct flash_area {
  uint8_t fa_id;
  uint8_t fa_device_id;
  uint16_t pad16;
  off_t fa_off;
  size_t fa_size;
  const struct device *fa_dev;
};
int flash_area_open(uint8_t id, const struct flash_area **fa);
int flash_area_read(const struct flash_area *fa, off_t off, void *dst, size_t len);
int flash_area_write(const struct flash_area *fa, off_t off, const void *src, size_t len);
int flash_area_erase(const struct flash_area *fa, off_t off, size_t len);
/* Of the device tree there. */
enum { slot0_partition_ID = 1, slot1_partition_ID };
#define FIXED_PARTITION_ID(label) label##_ID
