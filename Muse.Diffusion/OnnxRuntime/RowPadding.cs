namespace Muse.Diffusion;

/// <summary>The number of rows to run on a device that is slow when it changes. It may be larger than the number that is needed.</summary>
/// <remarks>
/// ONNX Runtime's CUDA provider builds the plans of all convolutions again when a shape differs from the last one, even if it had the shape
/// before (https://github.com/microsoft/onnxruntime/issues/23006). That takes as long as many steps. So the number goes up by doublings. It
/// goes down when the padded rows have cost as much as a change. This ski-rental rule costs at most about twice the optimum.
/// </remarks>
sealed class RowPadding
{
    readonly record struct Shape(LatentShape Latent, ConditioningShape Conditioning);

    readonly Dictionary<(Shape, int Rows), TimeSpan> prepared = [];
    readonly Dictionary<Shape, int> most = [];
    Shape shape;
    int held, asked, needed;
    bool preparing;
    TimeSpan? preparation, firstRun;
    TimeSpan wasted;

    /// <summary>How many steps take as long as preparing for another shape; 1 until both are known.</summary>
    public int StepsAPreparation => preparation is { } cost && prepared.GetValueOrDefault((shape, held)) is { Ticks: > 0 } step
        ? (int)Math.Clamp(cost / step, 1, 1000)
        : 1;

    /// <summary>How many rows to run for so many that are needed.</summary>
    public int RowsFor(LatentShape latent, ConditioningShape conditioning, int rows)
    {
        var now = new Shape(latent, conditioning);
        if (now != shape)
        {
            shape = now;
            Prepare(rows, changed: true);
        }
        else if (rows > held)
        {
            Prepare(Math.Max(rows, Math.Min(2 * held, most.GetValueOrDefault(shape))), changed: true);
        }
        else if (wasted > preparation)
        {
            var fewer = Math.Max(rows, needed);
            Prepare(fewer, changed: fewer != held);
        }
        asked = rows;
        needed = Math.Max(needed, rows);
        return held;
    }

    /// <summary>Reports how long the rows took that were last asked for.</summary>
    public void OnRan(TimeSpan took)
    {
        var key = (shape, held);
        most[shape] = Math.Max(most.GetValueOrDefault(shape), held);
        if (preparing)
        {
            (preparing, firstRun) = (false, took);
            return;
        }
        if (!prepared.TryGetValue(key, out var least) || took < least)
            prepared[key] = least = took;
        if (firstRun is { } first)
            (preparation, firstRun) = (first > least ? first - least : TimeSpan.Zero, null);
        wasted += Waste(least);
    }

    /// <summary>Reports that so many rows do not fit: they are not run again unless they are needed.</summary>
    public void OnOutOfMemory()
    {
        most[shape] = asked < held ? asked : asked / 2;
        Prepare(0, changed: true);
    }

    void Prepare(int rows, bool changed)
    {
        if (changed)
            (held, preparing, firstRun) = (rows, true, null);
        (wasted, needed) = (TimeSpan.Zero, 0);
    }

    // Against the nearest number of rows below that has been seen; by their share where none has.
    TimeSpan Waste(TimeSpan all)
    {
        if (asked == held)
            return TimeSpan.Zero;
        for (var rows = asked; rows > 0; rows--)
        {
            if (prepared.TryGetValue((shape, rows), out var fewer))
                return fewer < all ? all - fewer : TimeSpan.Zero;
        }

        return all * (held - asked) / held;
    }
}
