export default function Votes() {
  return null;
}
