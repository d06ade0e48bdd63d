/** How others get in: letters and a link with its QR code, or a code for one member. */
import { Button, Textarea } from '@mantine/core';
import { useEffect, useState } from 'react';
import { Problem } from './Problem.tsx';
import { useClassroom, useRoom } from './useClassroom.ts';

export function Invite() {
  const link = useRoom((state) => state.link);
  const signals = useRoom((state) => state.signals);
  return (
    <section className="together-invite" aria-label="Invite">
      {link === '' ? null : (
        <div className="together-link">
          <QrCode text={link} />
          <div>
            <p>
              Open this link on another laptop of the network, or go to <em>Train together</em>{' '}
              there and type the six letters.
            </p>
            <p>
              <a href={link}>{link}</a>
            </p>
            <Button
              size="xs"
              variant="default"
              onClick={() => void navigator.clipboard.writeText(link)}
            >
              Copy the link
            </Button>
          </div>
        </div>
      )}
      {signals ? (
        <p className="small">
          {signals.message} {signals.hint}
        </p>
      ) : null}
      <InviteByCode />
    </section>
  );
}

/** Drawn as an image that the page makes itself. */
function QrCode({ text }: { text: string }) {
  const [image, setImage] = useState('');
  useEffect(() => {
    let wanted = true;
    void import('qrcode')
      .then(({ toString }) => toString(text, { type: 'svg', margin: 2 }))
      .then((svg) => {
        if (wanted) setImage(`data:image/svg+xml,${encodeURIComponent(svg)}`);
      });
    return () => {
      wanted = false;
    };
  }, [text]);
  return image === '' ? null : (
    <img src={image} width={148} height={148} alt="QR code of the link" />
  );
}

function InviteByCode() {
  const classroom = useClassroom();
  const invitation = useRoom((state) => state.invitation);
  const problem = useRoom((state) => state.invitationProblem);
  const [answer, setAnswer] = useState('');
  return (
    <details className="small" open={invitation !== null || undefined}>
      <summary>Invite one member by a code, without a server</summary>
      <div className="together-codes">
        <Problem problem={problem} />
        <Button size="xs" variant="default" onClick={() => void classroom.invite()}>
          {invitation === null ? 'Make a code' : 'Make another code'}
        </Button>
        {invitation === null ? null : (
          <>
            <Textarea
              size="xs"
              label="Code for one member: take it to the other laptop"
              readOnly
              rows={4}
              value={invitation}
            />
            <Textarea
              size="xs"
              label="The member’s answer"
              rows={4}
              value={answer}
              onChange={({ currentTarget }) => setAnswer(currentTarget.value)}
            />
            <Button
              size="xs"
              disabled={answer.trim() === ''}
              onClick={() => {
                void classroom.acceptAnswer(answer);
                setAnswer('');
              }}
            >
              Let the member in
            </Button>
          </>
        )}
      </div>
    </details>
  );
}
