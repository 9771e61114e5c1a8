/*
 * crc32 - the checksum DynamoDB puts into x-amz-crc32 (that of zip and Ethernet).
 */
#ifndef POINTSMAN_AWS_CRC32_H
#define POINTSMAN_AWS_CRC32_H

#include <stddef.h>
#include <stdint.h>

uint32_t crc32_of(const void *data, size_t len);

#endif
