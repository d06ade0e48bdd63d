/** A name that a user may have made long: cut after its second line, and whole in its title. */
import './styles/cut_name.css';

export const CutName = ({ name }: { name: string }) => (
  <span className="cut-name" title={name}>
    {name}
  </span>
);
