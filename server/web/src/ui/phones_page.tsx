import { useState } from 'preact/hooks';
import type { PhoneToken } from '../api/types';
import { DeedForm } from './account_page';
import { PageHeading, typedInto } from './elements';
import { useApp, useTranslator } from './hooks';
import { QrCode } from './qr_code';

function Token({ made }: { made: PhoneToken }) {
  const translator = useTranslator();
  const { phone, until, token } = made;
  return (
    <section class="card" role="status">
      <h2>
        <bdi>{phone}</bdi>
      </h2>
      <p>{translator.text('phones.scan', { at: translator.moment(until) })}</p>
      <QrCode text={token} label={translator.text('phones.qr', { phone })} isLong />
      <details>
        <summary>{translator.text('phones.asText')}</summary>
        <code class="token" dir="ltr">
          {token}
        </code>
      </details>
    </section>
  );
}

/** At an office: a technician lets a phone join by a code that its camera reads. */
export function PhonesPage({ office }: { office: string }) {
  const { client } = useApp();
  const translator = useTranslator();
  const [made, setMade] = useState<PhoneToken>();
  const make = async (form: HTMLFormElement) => {
    setMade(undefined);
    setMade(await client.phoneToken(typedInto(form, 'phone').trim().toUpperCase()));
  };
  return (
    <>
      <PageHeading title={translator.text('phones.title')} />
      <p>{translator.text('phones.intro')}</p>
      <section class="card">
        <DeedForm submit={translator.text('phones.make')} act={make}>
          <div class="field">
            <label for="phone">{translator.text('phones.name')}</label>
            <input
              id="phone"
              name="phone"
              required
              dir="ltr"
              maxLength={16}
              placeholder={`${office}-P1`}
              autocapitalize="characters"
              autocomplete="off"
            />
          </div>
        </DeedForm>
      </section>
      {made && <Token key={made.token} made={made} />}
    </>
  );
}
