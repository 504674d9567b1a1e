"""Pipit and Debian's Prometheus answer some thousand random questions about the same samples alike."""
import unittest

import differential
import differential_data
import harness

SEED, COUNT = 3, 4000


class DifferentialTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = harness.Folder()
        cls.addClassCleanup(cls.folder.remove)
        cls.history = differential_data.History(cls.folder.path)
        cls.servers = differential_data.start_servers(cls.folder, cls.history)
        for server in cls.servers:
            cls.addClassCleanup(server.kill)

    def test_same_samples(self):
        """Both servers have every sample that was sent; all else builds on that."""
        answers = [server.data_of("query", {"query": '{job!=""}[1h]', "time": differential_data.END + 60}) for server in self.servers]
        ours, theirs = ({tuple(sorted(s["metric"].items())): s["values"] for s in answer["result"]} for answer in answers)
        self.assertEqual(ours, theirs)
        self.assertEqual(len(ours), len(self.history.series))

    def test_random_expressions(self):
        tally = differential.run(self.servers, self.history, SEED, COUNT)
        print(tally.text())
        if tally.reports:
            self.fail("\n\n".join(tally.reports))
        self.assertLessEqual(tally.explained_share(), differential.MAX_EXPLAINED_SHARE)
        self.assertGreater(tally.answers["data"] / tally.asked, 0.8, "the expressions have too few answers to tell much")
        self.assertGreater(tally.answers["error"], 0)
