/** Keys that mail programs, social networks and advertisements append to a link. */

const PREFIXES = ['utm_', 'mtm_', 'pk_', 'hsa_', '_hs', 'mc_', 'vero_', 'oly_', 'gad_', 'wt_'];

const NAMES: ReadonlySet<string> = new Set([
  ...['fbclid', 'fb_action_ids', 'fb_source', 'igsh', 'igshid', 'twclid', 'ttclid', 'li_fat_id'],
  ...['gclid', 'gclsrc', 'gbraid', 'wbraid', 'dclid', 'srsltid', '_ga', '_gl', 'msclkid'],
  ...['yclid', 'ysclid', 'mkt_tok', 'mkwid', 's_cid', 'cvid', 'ocid', 'epik', 'rb_clickid'],
  ...['ref', 'ref_src', 'ref_url', 'referrer', 'source', 'si', 'spm', 'share', 'trk', 'wickedid'],
]);

/** Whether a key of an address only tells others where a visitor came from. */
export const isTrackingKey = (key: string): boolean => {
  const name = key.toLowerCase();
  return NAMES.has(name) || PREFIXES.some((prefix) => name.startsWith(prefix));
};
