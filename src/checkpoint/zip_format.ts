/** Numbers of the zip format (PKWARE APPNOTE 6.3.10, sections 4.3.7, 4.3.12, 4.3.16 and 4.4.5). */

export const END_SIGNATURE = 0x06054b50;
export const CENTRAL_SIGNATURE = 0x02014b50;
export const LOCAL_SIGNATURE = 0x04034b50;
export const END_SIZE = 22;
export const CENTRAL_SIZE = 46;
export const LOCAL_SIZE = 30;
export const MAX_COMMENT = 0xffff;
/** Compression methods. */
export const STORED = 0;
export const DEFLATED = 8;
