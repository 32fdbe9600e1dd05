/* Runs a fuzz target over files and folders of files, so that a kept corpus is
 * a test for every compiler: replay FILE|FOLDER... */
#include "base/check.h"

#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define PATH_BYTES_MAX 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Memory of exactly the file's size. */
static void replay_file(const char *path, size_t size)
{
	FILE *file = fopen(path, "rb");
	uint8_t *data = malloc(size ? size : 1);

	must(file != NULL);
	must(data != NULL);
	must(fread(data, 1, size, file) == size);
	fclose(file);
	LLVMFuzzerTestOneInput(data, size);
	free(data);
}

/* Gives the number of inputs that were run. */
static unsigned replay(const char *path)
{
	unsigned count = 0;
	struct stat st;
	DIR *folder;

	if (stat(path, &st) != 0) {
		fprintf(stderr, "%s: cannot be read\n", path);
		exit(1);
	}
	if (!S_ISDIR(st.st_mode)) {
		fprintf(stderr, "%s\n", path);
		replay_file(path, (size_t)st.st_size);
		return 1;
	}
	folder = opendir(path);
	must(folder != NULL);
	for (struct dirent *entry; (entry = readdir(folder));) {
		char inner[PATH_BYTES_MAX];

		if (entry->d_name[0] == '.')
			continue;
		must(snprintf(inner, sizeof inner, "%s/%s", path, entry->d_name) <
		     (int)sizeof inner);
		count += replay(inner);
	}
	closedir(folder);
	return count;
}

int main(int argc, char **argv)
{
	unsigned count = 0;

	LLVMFuzzerTestOneInput((const uint8_t *)"", 0);
	for (int i = 1; i < argc; i++)
		count += replay(argv[i]);
	printf("%u inputs\n", count);
	return count > 0 ? 0 : 1;
}
