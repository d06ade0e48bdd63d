/** Said before anybody joins: what leaves the tab, and for whom. */

export function WhoSeesWhat() {
  return (
    <section className="together-privacy" aria-label="Who sees what">
      <h2>Who sees what</h2>
      <dl>
        <dt>The recipe and the text</dt>
        <dd>
          The host’s recipe goes to every member. A text of the host’s own goes to every member as a
          whole; texts that come with the page are made on each laptop. A member’s own texts stay in
          its tab.
        </dd>
        <dt>Weights</dt>
        <dd>
          Each member sends the host how its weights have changed, and the host sends everybody the
          mean. From such changes, parts of the text can be guessed.
        </dd>
        <dt>Names and numbers</dt>
        <dd>
          Everybody sees each member’s name, share of the text, speed, whether it is there or
          asleep, and whether its contributions were taken or why not. The host’s page also gets
          each member’s training loss. The host and each laptop see each other’s address in the
          network.
        </dd>
        <dt>Nothing else</dt>
        <dd>
          Votes, chats, other runs and their texts do not leave the tab. Laptops talk directly to
          the host’s; no server outside of this network is contacted.
        </dd>
      </dl>
    </section>
  );
}
