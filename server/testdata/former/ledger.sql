CREATE TABLE public.digate_ledger_meta (
    name text NOT NULL,
    value bytea NOT NULL
);
CREATE TABLE public.digate_ledger_record (
    key bytea NOT NULL,
    fingerprint bytea NOT NULL,
    template_id text NOT NULL,
    state text NOT NULL,
    token bytea NOT NULL,
    integration_id text DEFAULT ''::text NOT NULL,
    claimed_at timestamp with time zone NOT NULL,
    until timestamp with time zone NOT NULL,
    lapsed_at timestamp with time zone,
    method text DEFAULT ''::text NOT NULL,
    CONSTRAINT digate_ledger_record_state_check CHECK ((state = ANY (ARRAY['claimed'::text, 'sending'::text, 'done'::text, 'unknown'::text])))
);
INSERT INTO public.digate_ledger_meta VALUES ('schema', '\x33');
INSERT INTO public.digate_ledger_meta VALUES ('key', '\x0550edd42f8a61ab543dc4a71185b53e516e5d008ae7a8fa2a10e8b2a092475c');
INSERT INTO public.digate_ledger_record VALUES ('\x30fad2b9b26024b19021b4ec040600099d26b491656f184aff2e5178e0865d03', '\x154a3eefcc6240da1eb597f61428d2420d1ebba4174bc3b98a690405e2aea2f4', '3c90c3cc-0d44-4b50-8888-8dd25736052a', 'done', '\x8624e0b946ff941d948db76cff1fb3c2', '0a398e41-d5aa-4683-97e6-51fc311b2aa0', '2026-11-30 06:54:14.69898+00', '2126-11-06 06:54:14.710548+00', NULL, 'CopyTemplate');
INSERT INTO public.digate_ledger_record VALUES ('\x3f65e4f787dade06a52da35de7159aef62ba1ee3178b80e917341ac7afe8dc9f', '\x956a94e7a662f9459d01f1958dbf909d97f53cc08b2e4dd8c4706274986e360a', '', 'done', '\x89adca1b5d6d48e9c75c5b9657c7ef06', '20ac01ab-16b8-4935-abf6-6efedd1996b0', '2026-11-30 06:54:14.749415+00', '2126-11-06 06:54:14.751459+00', NULL, 'CreateIntegration');
INSERT INTO public.digate_ledger_record VALUES ('\x4f45f0a02d14a6a420d600153bfd11c7799c5a76d826bd24d135d12b4057044f', '\x77321d530673e817337ff20f139513df5520e72c4fc2b12aaad96b763d146bec', '00000000-0000-4000-8000-000000000603', 'unknown', '\x569dfa05856849f411fd6ae535a45db4', '', '2026-11-30 06:54:14.92691+00', '2126-11-06 06:54:14.928559+00', NULL, 'CopyTemplate');
INSERT INTO public.digate_ledger_record VALUES ('\x7821f62e0e6a053c5409bea0ca34c46665785318f4285ae8074b7648eeace5b6', '\x77321d530673e817337ff20f139513df5520e72c4fc2b12aaad96b763d146bec', '00000000-0000-4000-8000-000000000603', 'unknown', '\x68ef02af71357f13fa027a9435d6d374', '', '2026-11-30 06:54:15.028025+00', '2126-11-06 06:54:15.06514+00', NULL, 'CopyTemplate');
INSERT INTO public.digate_ledger_record VALUES ('\x3f07ce390743340b85e0f8b386f13585c92c190ee8ad6d3557811bf2ef984ce6', '\x6a01ebea291da93401f5b3504dd4d78b99cb273200b56ac5684c8ae5b2af08b0', '00000000-0000-4000-8000-000000000601', 'unknown', '\x0c974bd8d63a2ded4aaf8279969f9966', '', '2026-11-30 06:54:15.270807+00', '2126-11-06 06:54:30.27133+00', '2026-11-30 06:54:30.27133+00', 'CopyTemplate');
ALTER TABLE ONLY public.digate_ledger_meta
    ADD CONSTRAINT digate_ledger_meta_pkey PRIMARY KEY (name);
ALTER TABLE ONLY public.digate_ledger_record
    ADD CONSTRAINT digate_ledger_record_pkey PRIMARY KEY (key);
CREATE INDEX digate_ledger_record_integration ON public.digate_ledger_record USING btree (integration_id) WHERE (state = 'done'::text);
CREATE INDEX digate_ledger_record_open ON public.digate_ledger_record USING btree (claimed_at) WHERE (state <> 'done'::text);
CREATE INDEX digate_ledger_record_until ON public.digate_ledger_record USING btree (until);
