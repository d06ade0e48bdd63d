/** Tokens that are reported for each row: the chosen one, then the likeliest others. */
export const REPORTED: i32 = 5;
/** Columns of `control` and of `progress`. */
export const CONTROL_COLUMNS: i32 = 3;
export const PROGRESS_COLUMNS: i32 = 2;
