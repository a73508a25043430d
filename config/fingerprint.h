/* Tells keys apart without telling them (HA4-AUTH-24). */
#ifndef CONFIG_FINGERPRINT_H
#define CONFIG_FINGERPRINT_H

#include "lib/base/secret.h"

/* Eight hex digits of a hash over the key. Any thread. */
void config_fingerprint(const struct secret *key, char text[SECRET_FINGERPRINT_SIZE]);

#endif
