#include "dataplane/crypto/library.h"

#define NO_COMPAT_IMB_API_053
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <intel-ipsec-mb.h>
#include <limits.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef MFD_EXEC
#define MFD_EXEC 0x10U
#endif

struct crypto_library {
	void *handle;
	int file; /* the copy's memfd, or -1. Open as long as it is loaded: the loader knows
		     libraries by path, and /proc/self/fd/N of another file is no other path */
	IMB_MGR *manager;
	void (*free_manager)(IMB_MGR *);
	char version[16];
	const char *path;
};

static const char *const INIT_NAMES[] = {
	[LIBRARY_SSE] = "init_mb_mgr_sse",
	[LIBRARY_AVX] = "init_mb_mgr_avx",
	[LIBRARY_AVX2] = "init_mb_mgr_avx2",
	[LIBRARY_AVX512] = "init_mb_mgr_avx512",
};

static void fail(char *error, const char *what, const char *detail)
{
	snprintf(error, LIBRARY_ERROR_SIZE, "%s: %s", what, detail ? detail : "?");
}

/* The library's file in memory; -1 when the kernel forbids it. */
static int copy_file(const char *path)
{
	struct stat status;
	int from, to;

	from = open(path, O_RDONLY | O_CLOEXEC);
	if (from < 0)
		return -1;
	to = memfd_create("libIPSec_MB", MFD_CLOEXEC | MFD_EXEC);
	if (to < 0) /* a kernel before 6.3 does not know MFD_EXEC */
		to = memfd_create("libIPSec_MB", MFD_CLOEXEC);
	if (to < 0 || fstat(from, &status)) {
		close(from);
		if (to >= 0)
			close(to);
		return -1;
	}
	for (off_t done = 0; done < status.st_size;) {
		ssize_t n = sendfile(to, from, &done, (size_t)(status.st_size - done));
		if (n <= 0) {
			close(to);
			to = -1;
			break;
		}
	}
	close(from);
	return to;
}

/*
 * The file that the loader finds, by its path. Found once, before there is a copy: the loader also
 * goes by the name inside a file, so later the plain name would give one of the copies.
 */
static const char *find_file(char *error)
{
	static char found[PATH_MAX];
	char name[40];
	struct link_map *map;
	void *handle;

	if (found[0])
		return found;
	/* the soname is the major release that the key layout and the manager were compiled for */
	snprintf(name, sizeof(name), "libIPSec_MB.so.%d", IMB_VERSION_NUM >> 16);
	handle = dlopen(name, RTLD_NOW | RTLD_LOCAL);
	if (!handle) {
		fail(error, "install the package libipsec-mb: no crypto library", dlerror());
		return NULL;
	}
	if (dlinfo(handle, RTLD_DI_LINKMAP, &map) || !realpath(map->l_name, found)) {
		fail(error, "crypto library", "its file cannot be found");
		found[0] = 0;
	}
	dlclose(handle);
	return found[0] ? found : NULL;
}

static bool load(struct crypto_library *library, enum library_copy copy, char *error)
{
	const char *original = find_file(error);
	char path[40];

	if (!original)
		return false;
	if (copy == LIBRARY_PRIVATE && (library->file = copy_file(original)) >= 0) {
		snprintf(path, sizeof(path), "/proc/self/fd/%d", library->file);
		library->handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
		if (library->handle)
			return true;
		close(library->file);
		library->file = -1;
	}
	library->handle = dlopen(original, RTLD_NOW | RTLD_LOCAL);
	if (!library->handle)
		fail(error, "crypto library", dlerror());
	return library->handle != NULL;
}

/* The layout of manager and key schedule is that of the header: any patch release of one minor. */
static bool check_version(struct crypto_library *library, char *error)
{
	unsigned (*get_version)(void) = NULL;

	*(void **)&get_version = dlsym(library->handle, "imb_get_version");
	if (!get_version) {
		fail(error, "crypto library", dlerror());
		return false;
	}
	unsigned version = get_version();
	snprintf(library->version, sizeof(library->version), "%u.%u.%u", version >> 16,
		version >> 8 & 255, version & 255);
	if (version >> 8 != IMB_VERSION_NUM >> 8) {
		snprintf(error, LIBRARY_ERROR_SIZE,
			"crypto library is release %s, compiled for " IMB_VERSION_STR,
			library->version);
		return false;
	}
	return true;
}

/* What AES-GCM runs on: the library takes VAES only when all that its path needs is there. */
static const char *path_of(const IMB_MGR *manager)
{
	const uint64_t wide = IMB_FEATURE_VAES | IMB_FEATURE_VPCLMULQDQ | IMB_FEATURE_GFNI |
			      IMB_FEATURE_AVX512_IFMA | IMB_FEATURE_SHANI;

	if (manager->used_arch >= IMB_ARCH_AVX512) /* 2.x has an AVX10 above it */
		return (manager->features & wide) == wide ? "AVX512 VAES" : "AVX512";
	if (manager->used_arch == IMB_ARCH_AVX2)
		return "AVX2";
	return manager->used_arch == IMB_ARCH_SSE ? "SSE" : "AVX";
}

static bool initialise(
	struct crypto_library *library, enum library_architecture architecture, char *error)
{
	IMB_MGR *(*allocate)(uint64_t) = NULL;
	int (*get_errno)(IMB_MGR *) = NULL;
	const char *(*get_text)(int) = NULL;
	void (*automatic)(IMB_MGR *, IMB_ARCH *) = NULL;
	void (*chosen)(IMB_MGR *) = NULL;

	*(void **)&allocate = dlsym(library->handle, "alloc_mb_mgr");
	*(void **)&library->free_manager = dlsym(library->handle, "free_mb_mgr");
	*(void **)&get_errno = dlsym(library->handle, "imb_get_errno");
	*(void **)&get_text = dlsym(library->handle, "imb_get_strerror");
	*(void **)&automatic = dlsym(library->handle, "init_mb_mgr_auto");
	if (architecture != LIBRARY_BEST)
		*(void **)&chosen = dlsym(library->handle, INIT_NAMES[architecture]);
	if (!allocate || !library->free_manager || !get_errno || !get_text || !automatic ||
		(architecture != LIBRARY_BEST && !chosen)) {
		fail(error, "crypto library", dlerror());
		return false;
	}
	library->manager = allocate(0);
	if (!library->manager) {
		fail(error, "crypto library", "no memory for its manager");
		return false;
	}
	if (chosen)
		chosen(library->manager);
	else
		automatic(library->manager, NULL);
	int problem = get_errno(library->manager);
	if (problem) {
		fail(error, "crypto library", get_text(problem));
		return false;
	}
	if (!(library->manager->features & IMB_FEATURE_AESNI)) {
		fail(error, "crypto library", "this processor has no AES instructions");
		return false;
	}
	library->path = path_of(library->manager);
	return true;
}

struct crypto_library *crypto_library_open(
	enum library_copy copy, enum library_architecture architecture, char *error)
{
	struct crypto_library *library = calloc(1, sizeof(*library));

	if (!library) {
		fail(error, "crypto library", strerror(ENOMEM));
		return NULL;
	}
	library->file = -1;
	if (!load(library, copy, error) || !check_version(library, error) ||
		!initialise(library, architecture, error)) {
		crypto_library_close(library);
		return NULL;
	}
	return library;
}

void crypto_library_close(struct crypto_library *library)
{
	if (!library)
		return;
	if (library->manager)
		library->free_manager(library->manager);
	if (library->handle)
		dlclose(library->handle);
	if (library->file >= 0)
		close(library->file);
	free(library);
}

struct IMB_MGR *crypto_library_manager(struct crypto_library *library)
{
	return library->manager;
}

bool crypto_library_is_private(const struct crypto_library *library)
{
	return library->file >= 0;
}

const char *crypto_library_path(const struct crypto_library *library)
{
	return library->path;
}

const char *crypto_library_version(const struct crypto_library *library)
{
	return library->version;
}
