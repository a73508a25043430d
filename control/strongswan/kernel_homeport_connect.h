/*
 * Reaching homeport-control: is it the one, and who are we?
 *
 * This program is free software; you can redistribute it and/or modify it
 * under the terms of the GNU General Public License as published by the
 * Free Software Foundation; either version 2 of the License, or (at your
 * option) any later version.  See <http://www.fsf.org/copyleft/gpl.txt>.
 *
 * This program is distributed in the hope that it will be useful, but
 * WITHOUT ANY WARRANTY; without even the implied warranty of MERCHANTABILITY
 * or FITNESS FOR A PARTICULAR PURPOSE.  See the GNU General Public License
 * for more details.
 */

/**
 * @defgroup kernel_homeport_connect kernel_homeport_connect
 * @{ @ingroup kernel_homeport
 */

#ifndef KERNEL_HOMEPORT_CONNECT_H_
#define KERNEL_HOMEPORT_CONNECT_H_

#include <library.h>

/** id of the first message */
#define KERNEL_HOMEPORT_HELLO_ID 1

/**
 * Connect, look who listens there, and say hello. Never blocks; quiet, but for
 * the first time that it fails.
 *
 * @param path			control's socket
 * @param instance		number of this charon process
 * @param told			whether it was said that nobody is there; set to TRUE
 * @return				non-blocking socket, -1 if there is nobody to talk to
 */
int kernel_homeport_connect(const char *path, uint64_t instance, bool *told);

#endif /** KERNEL_HOMEPORT_CONNECT_H_ @}*/
