/** What tells a bundle for GPUs (`bundle/`) from other zips, read by every import. */

/** Beside the folder `checkpoint/` of a bundle. */
export const BUNDLE_FILE = 'bundle.json';

/** Version of bundle.json; `python/folder.py` reads the same. */
export const BUNDLE_VERSION = 1;
