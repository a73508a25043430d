#include "dataplane/crypto/cbc_iv.h"

#include "lib/base/secret.h"

#include <string.h>
#include <sys/random.h>

bool cbc_iv_init(struct cbc_iv *iv, IMB_MGR *manager)
{
	_Alignas(16) uint8_t raw[16];

	memset(iv, 0, sizeof(*iv));
	if (getrandom(raw, sizeof(raw), 0) != sizeof(raw))
		return false;
	IMB_AES128_GCM_PRE(manager, raw, &iv->key);
	secret_wipe(raw, sizeof(raw));
	iv->encrypt = manager->gcm128_enc;
	return true;
}

void cbc_iv_take(struct cbc_iv *iv, uint8_t *out)
{
	if (iv->left == 0) {
		uint8_t nonce[12] = {0}, tag[16];

		iv->refills++;
		memcpy(nonce, &iv->refills, sizeof(iv->refills));
		memset(iv->ready, 0, sizeof(iv->ready));
		iv->encrypt(&iv->key, &iv->context, iv->ready, iv->ready, sizeof(iv->ready), nonce,
			nonce, 0, tag, sizeof(tag));
		iv->left = CBC_IV_COUNT;
	}
	memcpy(out, iv->ready + (CBC_IV_COUNT - iv->left) * (size_t)CBC_IV_LENGTH, CBC_IV_LENGTH);
	iv->left--;
}
