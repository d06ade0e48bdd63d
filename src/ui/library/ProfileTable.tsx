/** Time of one training step by kind of kernel, and the slowest kernels. */
import { count, measure, profileRows, type StepProfile } from '../../store/index.ts';

export function ProfileTable({ profile }: { profile: StepProfile }) {
  if (profileRows(profile).length === 0)
    return <p className="muted">Kernels cannot be timed here, so only the whole step was.</p>;
  const sumMs = profile.kinds?.reduce((sum, kind) => sum + kind.ms, 0) ?? NaN;
  return (
    <>
      <KindTable profile={profile} />
      <SlowestKernels profile={profile} />
      <p className="small muted">
        Measured after step {count(profile.step)}. Each kernel is timed on its own, so the sum,{' '}
        {measure(sumMs)} ms, differs from the time of the whole step. Browsers round these times, so
        small shares are rough.
      </p>
    </>
  );
}

function KindTable({ profile }: { profile: StepProfile }) {
  const rows = profileRows(profile);
  const largestShare = Math.max(...rows.map((row) => row.share));
  return (
    <table className="profile-table" data-testid="profile">
      <thead>
        <tr>
          <th scope="col">Kind</th>
          <th scope="col">µs</th>
          <th scope="col">Share</th>
          <th scope="col">Kernels</th>
          <th scope="col">Rate</th>
          <th scope="col">Of peak</th>
        </tr>
      </thead>
      <tbody>
        {rows.map((row) => (
          <tr key={row.kind}>
            <th scope="row">
              {row.title}
              <span className="profile-bar" aria-hidden>
                <i style={{ width: `${(100 * row.share) / largestShare}%` }} />
              </span>
            </th>
            <td>{row.micros}</td>
            <td>{(100 * row.share).toFixed(0)}%</td>
            <td>{row.dispatches}</td>
            <td>{row.rate}</td>
            <td>{row.of_peak}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function SlowestKernels({ profile }: { profile: StepProfile }) {
  return (
    <details className="profile-kernels">
      <summary>Slowest kernels</summary>
      <ul>
        {profile.kernels.map(({ kernel, ms, dispatches }) => (
          <li key={kernel}>
            <code>{kernel}</code>
            <span>
              {count(1000 * ms)} µs in {count(dispatches)}{' '}
              {dispatches === 1 ? 'dispatch' : 'dispatches'}
            </span>
          </li>
        ))}
      </ul>
    </details>
  );
}
