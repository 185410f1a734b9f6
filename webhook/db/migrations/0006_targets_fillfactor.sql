-- A download updates its row with every report: with room on the page the new version needs no entry in any index (HOT).
ALTER TABLE "targets" SET (fillfactor = 70);
