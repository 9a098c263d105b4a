using CsCheck;
using Muse.AppHost;

namespace Muse.Tests.AppHost;

public sealed class PoolPlanTests
{
    static readonly DateTimeOffset Now = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    // A place is a letter and, for a live or draining one, its batch by its last heartbeat ('?' before the first):
    // i(dle), l(ive), b(acking off, its pause over), B(acking off, still pausing), d(raining), D(raining, handed back),
    // x (draining for too long), s(topping). A move is + start, ~ drain, - stop, . forget.
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
    public void The_number_wanted_and_the_work_at_hand_say_who_starts_and_who_leaves(int wanted, string places, string moves)
    {
        var slots = places.Split(' ').Select((text, index) => Slot(index, text)).ToList();
        var decided = PoolPlan.Decide(wanted, slots, Now).Select(move => $"{move.Index}{"+~-."[(int)move.Move]}");
        Assert.Equal(moves, string.Join(' ', decided));
    }

    static readonly string[] Kinds = ["i", "l?", "l0", "l7", "b", "d4", "D0", "s"];

    [Fact]
    public void Any_plan_carried_out_comes_to_the_number_wanted_and_then_rests() =>
        Check.Sample(Gen.Select(Gen.Int[0, 6], Gen.Int[0, 7].Select(kind => Kinds[kind]).Array[6]), (wanted, texts) =>
        {
            var slots = texts.Select((text, index) => Slot(index, text)).ToArray();
            for (var round = 0; round < 4; round++)
            {
                foreach (var (index, move) in PoolPlan.Decide(wanted, slots, Now))
                    slots[index] = Slot(index, move switch { PoolMove.Start => "l0", PoolMove.Drain => "d1", _ => "i" });
                // Whoever drains has handed back its work by the next round.
                slots = [.. slots.Select(slot => slot.Phase == SlotPhase.Draining ? Slot(slot.Index, "D0") : slot)];
            }
            // Whoever is being stopped comes free in time; until then its place can't be used.
            Assert.Equal(Math.Min(wanted, 6 - texts.Count(text => text == "s")), slots.Count(slot => slot.Phase is SlotPhase.Live));
            Assert.DoesNotContain(PoolPlan.Decide(wanted, slots, Now), move => move.Move != PoolMove.Start);
        });

    static SlotFacts Slot(int index, string text)
    {
        var batch = text.Length < 2 || text[1] == '?' ? (int?)null : text[1] - '0';
        return text[0] switch
        {
            'i' => new(index, SlotPhase.Idle, default, null, false),
            'l' => new(index, SlotPhase.Live, default, batch, false),
            'b' => new(index, SlotPhase.BackingOff, Now, null, false),
            'B' => new(index, SlotPhase.BackingOff, Now.AddSeconds(1), null, false),
            'd' => new(index, SlotPhase.Draining, Now.AddSeconds(1), batch, false),
            'D' => new(index, SlotPhase.Draining, Now.AddSeconds(1), batch, true),
            'x' => new(index, SlotPhase.Draining, Now, batch, false),
            's' => new(index, SlotPhase.Stopping, default, null, false),
            _ => throw new ArgumentException(text),
        };
    }
}
