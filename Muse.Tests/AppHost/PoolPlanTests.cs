using CsCheck;
using Muse.AppHost;

namespace Muse.Tests.AppHost;

public sealed class PoolPlanTests
{
    static readonly DateTimeOffset Now = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    // A worker is a letter and, for a live or draining one, its batch by its last heartbeat ('?' before the first):
    // i(dle), l(ive), b(acking off, its time over), B(acking off, its time not over), d(raining), D(raining, handed back),
    // x (draining for too long), s(topping). An action is + start, ~ drain, - stop, . forget.
    [Theory]
    [InlineData(1, "i i i i", "0+")]
    [InlineData(3, "i i i i", "0+ 1+ 2+")]
    [InlineData(2, "l0 l3 i i", "")]
    [InlineData(3, "l0 i l1 i", "1+")]
    [InlineData(1, "l5 l2 l9 i", "1~ 0~")]
    [InlineData(2, "l0 l0 l0 i", "2~")]
    [InlineData(1, "l4 l? i i", "1-")]
    [InlineData(0, "l0", "0~")]
    [InlineData(1, "d4 i", "1+")]
    [InlineData(0, "d4 D0 d? x7", "1- 2- 3-")]
    [InlineData(1, "l2 D0", "1-")]
    [InlineData(1, "s l1", "")]
    [InlineData(2, "b l1 i", "0+")]
    [InlineData(2, "B l1 i", "")]
    [InlineData(1, "B l1 i", "0.")]
    [InlineData(3, "B B B i", "")]
    [InlineData(9, "l1 l1", "")]
    public void The_number_wanted_and_the_work_at_hand_decide_which_workers_start_and_which_leave(int wanted, string pool, string actions)
    {
        var workers = pool.Split(' ').Select((text, index) => Worker(index, text)).ToList();
        var decided = PoolPlan.Decide(wanted, workers, Now).Select(move => $"{move.Index}{"+~-."[(int)move.Action]}");
        Assert.Equal(actions, string.Join(' ', decided));
    }

    static readonly string[] Kinds = ["i", "l?", "l0", "l7", "b", "d4", "D0", "s"];

    [Fact]
    public void Any_plan_carried_out_comes_to_the_number_wanted_and_then_rests() =>
        Check.Sample(Gen.Select(Gen.Int[0, 6], Gen.Int[0, 7].Select(kind => Kinds[kind]).Array[6]), (wanted, texts) =>
        {
            var workers = texts.Select((text, index) => Worker(index, text)).ToArray();
            for (var round = 0; round < 4; round++)
            {
                foreach (var (index, move) in PoolPlan.Decide(wanted, workers, Now))
                    workers[index] = Worker(index, move switch { PoolAction.Start => "l0", PoolAction.Drain => "d1", _ => "i" });
                // A draining worker has handed back its work by the next round.
                workers = [.. workers.Select(worker => worker.Phase == WorkerPhase.Draining ? Worker(worker.Index, "D0") : worker)];
            }
            // A worker that is being stopped can be started again later, not now.
            Assert.Equal(Math.Min(wanted, 6 - texts.Count(text => text == "s")), workers.Count(worker => worker.Phase is WorkerPhase.Live));
            Assert.DoesNotContain(PoolPlan.Decide(wanted, workers, Now), move => move.Action != PoolAction.Start);
        });

    static WorkerFacts Worker(int index, string text)
    {
        var batch = text.Length < 2 || text[1] == '?' ? (int?)null : text[1] - '0';
        return text[0] switch
        {
            'i' => new(index, WorkerPhase.Idle, default, null, false),
            'l' => new(index, WorkerPhase.Live, default, batch, false),
            'b' => new(index, WorkerPhase.BackingOff, Now, null, false),
            'B' => new(index, WorkerPhase.BackingOff, Now.AddSeconds(1), null, false),
            'd' => new(index, WorkerPhase.Draining, Now.AddSeconds(1), batch, false),
            'D' => new(index, WorkerPhase.Draining, Now.AddSeconds(1), batch, true),
            'x' => new(index, WorkerPhase.Draining, Now, batch, false),
            's' => new(index, WorkerPhase.Stopping, default, null, false),
            _ => throw new ArgumentException(text),
        };
    }
}
