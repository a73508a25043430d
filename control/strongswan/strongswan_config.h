/*
 * What configure finds out on Debian and strongSwan 5.9.8's headers look at,
 * for glibc and Linux: the headers of the source tarball are used without
 * running configure.
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

#ifndef STRONGSWAN_CONFIG_H_
#define STRONGSWAN_CONFIG_H_

#define CONFIG_H_INCLUDED

/** the release whose headers these are; checked against the running charon */
#define HOMEPORT_STRONGSWAN_VERSION "5.9.8"

/** Debian configures --enable-mediation; decides the layout of daemon_t */
#define ME

#define HAVE_CLOCK_GETTIME 1
#define HAVE_CLOSEFROM 1
#define HAVE_CONDATTR_CLOCK_MONOTONIC 1
#define HAVE_DECL_STRERROR_R 1
#define HAVE_EXPLICIT_BZERO 1
#define HAVE_FMEMOPEN 1
#define HAVE_GCC_ATOMIC_OPERATIONS 1
#define HAVE_IN6ADDR_ANY 1
#define HAVE_INT128 1
#define HAVE_MEMRCHR 1
#define HAVE_PRINTF_SPECIFIER 1
#define HAVE_PTHREAD_CANCEL 1
#define HAVE_QSORT_R 1
#define HAVE_QSORT_R_GNU 1
#define HAVE_SEM_TIMEDWAIT 1
#define HAVE_SIGWAITINFO 1
#define HAVE_STDBOOL_H 1
#define HAVE_STRERROR_R 1
#define HAVE_SYS_PARAM_H 1

#endif /** STRONGSWAN_CONFIG_H_ */
