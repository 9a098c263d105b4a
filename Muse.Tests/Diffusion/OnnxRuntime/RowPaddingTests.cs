using Muse.Diffusion;

namespace Muse.Tests.Diffusion.OnnxRuntime;

/// <summary>A device on which a change of shape takes 100 ms, a step 2 ms and each row 1 ms.</summary>
public class RowPaddingTests
{
    static readonly LatentShape Small = new(4, 16, 16), Large = new(4, 64, 64);

    static readonly ConditioningShape Prompt = new([77, 16]);

    readonly RowPadding padding = new();
    (LatentShape, int) before;
    double spent;

    int Run(int rows, LatentShape? shape = null)
    {
        var latent = shape ?? Small;
        var run = padding.RowsFor(latent, Prompt, rows);
        double took = 2 + run + (before == (latent, run) ? 0 : 100);
        before = (latent, run);
        spent += took;
        padding.OnRan(TimeSpan.FromMilliseconds(took));
        return run;
    }

    [Fact]
    public void More_rows_come_by_doublings_up_to_the_most_that_ever_ran()
    {
        foreach (var rows in (int[])[1, 2, 4, 8, 12])
            Assert.Equal(rows, Run(rows));
        // Until the padded rows have cost as much as a change.
        while (Run(2) > 2)
        { }
        Assert.Equal(4, Run(3));
        Assert.Equal(8, Run(5));
        Assert.Equal(12, Run(9));
        Assert.Equal(13, Run(13));
    }

    [Fact]
    public void Fewer_rows_run_when_the_padding_has_cost_as_much_as_a_change()
    {
        Run(10);
        Run(10);
        var steps = 0;
        while (Run(5) == 10)
            steps++;
        // Half of 12 ms a step, as nothing is known of fewer rows: 17 make 100 ms. In the first 17 ten were still needed once.
        Assert.Equal(2 * 17, steps);
        Assert.Equal(5, Run(5));
    }

    [Fact]
    public void Rows_that_come_and_go_meanwhile_are_kept_room_for()
    {
        Run(10);
        Run(10);
        var number = 0;
        while (Run(3 + number % 4) == 10)
            number++;
        for (; number < 100; number++)
            Assert.Equal(6, Run(3 + number % 4));
    }

    [Fact]
    public void Where_more_rows_take_no_longer_they_stay()
    {
        foreach (var rows in (int[])[2, 2, 24, 24])
        {
            padding.RowsFor(Small, Prompt, rows);
            padding.OnRan(TimeSpan.FromMilliseconds(3));
        }
        for (var step = 0; step < 1000; step++)
        {
            Assert.Equal(24, padding.RowsFor(Small, Prompt, 2));
            padding.OnRan(TimeSpan.FromMilliseconds(3));
        }
    }

    [Fact]
    public void Another_shape_starts_from_what_it_needs()
    {
        Run(12);
        Run(12);
        Assert.Equal(2, Run(2, Large));
        Assert.Equal(4, Run(4));
    }

    [Fact]
    public void What_did_not_fit_is_not_run_again_for_fewer()
    {
        Run(4);
        Run(8);
        Assert.Equal(8, padding.RowsFor(Small, Prompt, 6));
        padding.OnOutOfMemory();
        Assert.Equal(6, Run(6));
        Assert.Equal(3, Run(3, Large));
        Assert.Equal(4, Run(4));
        Assert.Equal(6, Run(5));
    }

    [Fact]
    public void What_was_needed_and_did_not_fit_is_not_doubled_to()
    {
        Run(4);
        Assert.Equal(12, padding.RowsFor(Small, Prompt, 12));
        padding.OnOutOfMemory();
        Assert.Equal(4, Run(4));
        Assert.Equal(6, Run(5));
    }

    [Fact]
    public void A_change_is_worth_as_many_steps_as_it_takes()
    {
        Assert.Equal(1, padding.StepsPerPreparation);
        Run(8);
        Assert.Equal(1, padding.StepsPerPreparation);
        Run(8);
        Assert.Equal(10, padding.StepsPerPreparation);
    }

    [Fact]
    public void It_never_takes_twice_as_long_as_running_all_rows_or_just_those_that_are_needed()
    {
        var random = new Random(1);
        var needed = 2;
        double all = 0, exact = 0;
        var last = 0;
        Run(24);
        Run(24);
        spent = 0;
        for (var step = 0; step < 5000; step++)
        {
            if (random.Next(10) == 0)
                needed = Math.Clamp(needed + random.Next(-2, 3), 1, 24);
            Run(needed);
            all += 26;
            exact += 2 + needed + (last == needed ? 0 : 100);
            last = needed;
        }
        Assert.InRange(spent, 0, 2 * Math.Min(all, exact));
    }
}
