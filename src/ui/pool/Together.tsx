/** Several laptops train one model: create a room, join one, or see the one that this page is in. */
import { CreateRoom } from './CreateRoom.tsx';
import { JoinRoom } from './JoinRoom.tsx';
import { LeftRoom } from './LeftRoom.tsx';
import { Problem } from './Problem.tsx';
import { RoomView } from './RoomView.tsx';
import { useRoom } from './useClassroom.ts';
import { WhoSeesWhat } from './WhoSeesWhat.tsx';
import '@mantine/core/styles/NumberInput.layer.css';
import '../styles/stages.css';
import '../styles/together.css';

export default function Together() {
  const role = useRoom((state) => state.role);
  const problem = useRoom((state) => state.problem);
  return (
    <main className="models together">
      <header>
        <h1>Train together</h1>
        <p className="muted">
          Several laptops train one model. Each takes some steps on its own part of the text; then
          all of them take the mean of what they have learned (DiLoCo, Douillard et al. 2023).
        </p>
      </header>
      <Problem problem={problem} />
      {role === 'none' ? <Entrance /> : <RoomView />}
    </main>
  );
}

function Entrance() {
  return (
    <>
      <LeftRoom />
      <div className="together-ways">
        <CreateRoom />
        <JoinRoom />
      </div>
      <WhoSeesWhat />
    </>
  );
}
