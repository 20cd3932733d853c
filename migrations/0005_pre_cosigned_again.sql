-- A cosigner whose stored line turns out to be no cosignature of the checkpoint is asked again, and his next line is kept
-- beside the wrong one: nothing is ever replaced. Which of them is good, whoever reads them verifies.

SET LOCAL lock_timeout = '10s';
SET LOCAL statement_timeout = '60s';

-- A process of the release before looks for itself whether a cosigner's line is there. It waits while the index is made.
-- squawk-ignore ban-drop-constraint, constraint-missing-not-valid, adding-serial-primary-key-field
ALTER TABLE ledger.cosignature DROP CONSTRAINT cosignature_pkey, ADD PRIMARY KEY (size, cosigner, number);
