/** Before there is a run: one sentence on what training will show, with a sketch of it. */
import '../styles/train.css';

export function Preview() {
  return (
    <div className="preview">
      <p>Press Train: the loss falls, and what the model writes turns from gibberish into words.</p>
      <Sketch />
    </div>
  );
}

/** A falling loss above three samples. */
function Sketch() {
  return (
    <svg viewBox="0 0 400 250" className="sketch" aria-hidden="true">
      <path className="sketch-axis" d="M24 12v140h364" />
      <path
        className="sketch-line"
        d="M26 20c10 40 18 62 30 76s20 14 34 24 32 8 54 14 60 4 100 8 96 2 140 4"
      />
      <text x="26" y="186">
        xq nv;e
      </text>
      <text x="150" y="186">
        the mal
      </text>
      <text x="280" y="186">
        the whale
      </text>
      <path className="sketch-axis" d="M26 206h360m-8-5 9 5-9 5" />
    </svg>
  );
}
