export default function NewStage() {
  return null;
}
