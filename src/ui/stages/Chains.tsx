/** Ready-made chains of stages. */
export function Chains() {
  return null;
}
