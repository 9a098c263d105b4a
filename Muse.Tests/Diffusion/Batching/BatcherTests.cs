using CsCheck;
using Muse.Diffusion;

namespace Muse.Tests.Diffusion.Batching;

public class BatcherTests
{
    sealed class Request(string name, int evaluations, int rows = 2, int size = 512, int tokens = 77) : BatchMember
    {
        public string Name => name;
        public int Done { get; set; }
        public bool IsCancelled { get; set; }
        public int LastStep { get; set; }
        readonly ConditioningShape conditioning = new([tokens, 16]);

        public override BatchKey Key => new(size, size, conditioning);
        public override int Rows => rows;
        public override float Timestep => evaluations - Done;
        public override bool Finished => Done == evaluations;
        public override bool Aborted => IsCancelled;
        public override string ToString() => name;
    }

    static Batcher<Request> Continuous(int maxBatchSize = 12, int maxRows = 24, bool equalTimesteps = false) =>
        new(maxBatchSize, maxRows, BatchingMode.Continuous, TimeSpan.Zero, equalTimesteps);

    static Batcher<Request> Static(int maxBatchSize = 12, int delay = 50) =>
        new(maxBatchSize, 24, BatchingMode.Static, TimeSpan.FromMilliseconds(delay), equalTimesteps: false);

    static StepPlan<Request> Step(Batcher<Request> batcher, int now = 0)
    {
        var plan = batcher.Plan(TimeSpan.FromMilliseconds(now));
        foreach (var request in plan.Running)
            request.Done++;
        return plan;
    }

    static string Names(IEnumerable<Request> requests) => string.Join(" ", requests);

    [Fact]
    public void A_request_joins_the_running_batch_at_the_next_step()
    {
        var batcher = Continuous();
        batcher.Add(new("a", 50), default);
        Step(batcher);
        batcher.Add(new("b", 4), default);
        var plan = Step(batcher);
        Assert.Equal(("b", "a b"), (Names(plan.Joined), Names(plan.Running)));
    }

    [Fact]
    public void A_slot_that_finishes_frees_its_rows_for_the_next_step()
    {
        var batcher = Continuous(maxBatchSize: 2);
        foreach (var (name, steps) in new[] { ("a", 1), ("b", 3), ("c", 2) })
            batcher.Add(new(name, steps), default);
        Assert.Equal("a b", Names(Step(batcher).Running));
        var plan = Step(batcher);
        Assert.Equal(("a", "c", "b c"), (Names(plan.Finished), Names(plan.Joined), Names(plan.Running)));
        Assert.Equal(0, plan.Joined[0].SlotIndex);
    }

    [Fact]
    public void Rows_stay_within_the_budget_and_guided_requests_take_two()
    {
        var batcher = Continuous(maxRows: 5);
        foreach (var name in new[] { "a", "b", "c" })
            batcher.Add(new(name, 9), default);
        batcher.Add(new("unguided", 9, rows: 1), default);
        var plan = Step(batcher);
        // c must wait for rows; the unguided one behind it fits.
        Assert.Equal(("a b unguided", 5), (Names(plan.Running), plan.Rows));
    }

    [Fact]
    public void Where_a_change_of_size_takes_long_a_turn_has_more_steps()
    {
        var batcher = Continuous();
        batcher.StepsPerTurn = 3;
        batcher.Add(new("a", 7), default);
        batcher.Add(new("B", 4, size: 768), default);
        batcher.Add(new("c", 2), default);
        Assert.Equal("a c, a c, a, B, B, B, a, a, a, B, a",
            string.Join(", ", Enumerable.Range(0, 11).Select(_ => Names(Step(batcher).Running))));
        Assert.Empty(Step(batcher).Running);
    }

    [Fact]
    public void Sizes_take_turns()
    {
        var batcher = Continuous();
        foreach (var (name, size) in new[] { ("a", 512), ("b", 512), ("big", 768), ("wide", 640) })
            batcher.Add(new(name, 9, size: size), default);
        Assert.Equal(["a b", "big", "wide", "a b", "big", "wide"], Enumerable.Range(0, 6).Select(_ => Names(Step(batcher).Running)));
    }

    [Fact]
    public void Long_prompts_run_apart_from_short_ones()
    {
        var batcher = Continuous();
        batcher.Add(new("short", 9), default);
        batcher.Add(new("long", 9, tokens: 154), default);
        Assert.Equal(["short", "long", "short"], Enumerable.Range(0, 3).Select(_ => Names(Step(batcher).Running)));
    }

    [Fact]
    public void Where_a_step_has_one_timestep_requests_run_in_groups_of_equal_timestep()
    {
        var batcher = Continuous(equalTimesteps: true);
        batcher.Add(new("a", 9), default);
        batcher.Add(new("b", 9), default);
        batcher.Add(new("c", 4), default);
        Assert.Equal(["a b", "c", "a b", "c"], Enumerable.Range(0, 4).Select(_ => Names(Step(batcher).Running)));
    }

    [Fact]
    public void A_cancelled_request_leaves_at_the_next_step_wherever_it_is()
    {
        var batcher = Continuous(maxBatchSize: 1);
        Request running = new("running", 9), waiting = new("waiting", 9), next = new("next", 9);
        foreach (var request in new[] { running, waiting, next })
            batcher.Add(request, default);
        Step(batcher);
        running.IsCancelled = waiting.IsCancelled = true;
        var plan = Step(batcher);
        Assert.Equal(("running waiting", "next"), (Names(plan.Aborted), Names(plan.Running)));
    }

    [Fact]
    public void Rows_that_did_not_fit_are_halved_for_their_size_alone_and_the_rest_take_turns()
    {
        var batcher = Continuous();
        foreach (var name in new[] { "a", "b", "c", "d" })
            batcher.Add(new(name, 9), default);
        batcher.Plan(default);
        Assert.Equal(4, batcher.HalveRowLimit(512, 512, 8));
        Assert.Equal(["a b", "c d", "a b"], Enumerable.Range(0, 3).Select(_ => Names(Step(batcher).Running)));
        Assert.Equal((4, 24), (batcher.RowLimit(512, 512), batcher.RowLimit(256, 256)));
    }

    [Fact]
    public void A_request_that_needs_more_rows_than_there_are_runs_alone()
    {
        var batcher = Continuous(maxRows: 1);
        batcher.Add(new("a", 1), default);
        batcher.Add(new("b", 1), default);
        Assert.Equal(["a", "b"], Enumerable.Range(0, 2).Select(_ => Names(Step(batcher).Running)));
    }

    [Theory]
    [InlineData(2, 12)]
    [InlineData(3, 12)]
    [InlineData(2, 3)]
    public void A_request_of_two_rows_is_not_kept_out_by_others_of_one(int maxRows, int maxBatchSize)
    {
        var batcher = Continuous(maxBatchSize, maxRows);
        var guided = new Request("guided", 5);
        for (var i = 0; i < maxRows; i++)
            batcher.Add(new($"{i}", 2 + i, rows: 1), default);
        batcher.Add(guided, default);
        var step = 0;
        for (; !guided.Finished && step < 200; step++)
        {
            batcher.Add(new($"late {step}", 3, rows: 1), default);
            Step(batcher);
        }
        Assert.True(guided.Finished, "It has never joined.");
        Assert.InRange(step, 1, 60);
    }

    [Fact]
    public void A_static_batch_waits_for_more_requests_until_the_delay_is_over()
    {
        var batcher = Static();
        batcher.Add(new("a", 2), TimeSpan.FromMilliseconds(10));
        var plan = Step(batcher, now: 30);
        Assert.Equal((0, TimeSpan.FromMilliseconds(60)), (plan.Running.Count, plan.WakeAt));
        batcher.Add(new("b", 1), TimeSpan.FromMilliseconds(40));
        Assert.Equal("a b", Names(Step(batcher, now: 60).Running));
    }

    [Fact]
    public void A_full_static_batch_does_not_wait()
    {
        var batcher = Static(maxBatchSize: 2);
        foreach (var name in new[] { "a", "b", "c" })
            batcher.Add(new(name, 2), default);
        Assert.Equal("a b", Names(Step(batcher).Running));
    }

    [Fact]
    public void Requests_of_a_static_batch_leave_together_and_none_joins_meanwhile()
    {
        var batcher = Static(maxBatchSize: 2);
        batcher.Add(new("short", 1), default);
        batcher.Add(new("long", 3), default);
        batcher.Add(new("late", 1), default);
        Assert.Equal("short long", Names(Step(batcher).Running));
        Assert.Equal(("", "", "long"), Seen(Step(batcher)));
        Assert.Equal(("", "", "long"), Seen(Step(batcher)));
        Assert.Equal("short long", Names(Step(batcher).Finished));

        static (string, string, string) Seen(StepPlan<Request> plan) => (Names(plan.Finished), Names(plan.Joined), Names(plan.Running));
    }

    [Fact]
    public void A_static_batch_whose_last_running_request_is_cancelled_lets_the_others_go()
    {
        var batcher = Static(maxBatchSize: 2);
        Request shorter = new("short", 1), longer = new("long", 3);
        batcher.Add(shorter, default);
        batcher.Add(longer, default);
        Step(batcher);
        longer.IsCancelled = true;
        var plan = Step(batcher);
        Assert.Equal(("long", "short"), (Names(plan.Aborted), Names(plan.Finished)));
    }

    static readonly Gen<(int At, int Steps, int Rows, int Size, int Cancel)> Arrival =
        Gen.Select(Gen.Int[0, 60], Gen.Int[1, 12], Gen.Int[1, 2], Gen.OneOf(256, 512, 768), Gen.Int[0, 200]);

    [Theory]
    [InlineData(BatchingMode.Continuous, false)]
    [InlineData(BatchingMode.Continuous, true)]
    [InlineData(BatchingMode.Static, false)]
    public void Whatever_arrives_every_step_keeps_the_rules_and_everyone_ends(BatchingMode mode, bool equalTimesteps) =>
        Gen.Select(Arrival.Array[0, 40], Gen.Int[1, 12], Gen.Int[2, 24]).Sample((arrivals, maxBatchSize, maxRows) =>
        {
            var batcher = new Batcher<Request>(maxBatchSize, maxRows, mode, TimeSpan.FromMilliseconds(3), equalTimesteps);
            var requests = arrivals.Select((a, i) => (Request: new Request($"{i}", a.Steps, a.Rows, a.Size), a.At, a.Cancel)).ToList();
            var gone = new HashSet<Request>();
            for (var step = 0; gone.Count < requests.Count; step++)
            {
                Assert.True(step < 5000, "A request starves.");
                foreach (var (request, at, cancel) in requests)
                {
                    if (at == step)
                        batcher.Add(request, TimeSpan.FromMilliseconds(step));
                    if (cancel == step && at <= step)
                        request.IsCancelled = true;
                }
                var plan = batcher.Plan(TimeSpan.FromMilliseconds(step));
                Assert.True(batcher.Members.Count <= maxBatchSize);
                Assert.True(plan.Rows <= maxRows || plan.Running.Count == 1);
                Assert.Equal(plan.Rows, plan.Running.Sum(r => r.Rows));
                Assert.True(plan.Running.Select(r => r.Key).Distinct().Count() <= 1);
                Assert.True(!equalTimesteps || plan.Running.Select(r => r.Timestep).Distinct().Count() <= 1);
                Assert.Equal(batcher.Members.Count, batcher.Members.Select(m => m.SlotIndex).Distinct().Count());
                Assert.DoesNotContain(plan.Running, r => r.Aborted || r.Finished);
                foreach (var request in plan.Aborted.Concat(plan.Finished))
                    Assert.True(gone.Add(request), "It left twice.");
                foreach (var member in batcher.Members.Where(m => !m.Finished && !plan.Running.Contains(m)))
                    Assert.True(++member.LastStep <= maxBatchSize, "It waited longer than for each other member once.");
                foreach (var request in plan.Running)
                {
                    request.Done++;
                    request.LastStep = 0;
                }
            }
        }, iter: 300);
}
