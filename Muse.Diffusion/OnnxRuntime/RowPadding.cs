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

    readonly Dictionary<(Shape, int Rows), TimeSpan> stepTimes = [];
    readonly Dictionary<Shape, int> largestRun = [];
    Shape shape;
    int rowsToRun, requestedRows, maxRequestedRows;
    bool isFirstRun;
    TimeSpan? preparationTime, firstRunTime;
    TimeSpan wastedTime;

    /// <summary>How many steps take as long as the preparation of another shape; 1 until both durations are known.</summary>
    public int StepsPerPreparation => preparationTime is { } cost && stepTimes.GetValueOrDefault((shape, rowsToRun)) is { Ticks: > 0 } step
        ? (int)Math.Clamp(cost / step, 1, 1000)
        : 1;

    /// <summary>The number of rows to run, at least <paramref name="rows"/>.</summary>
    public int RowsFor(LatentShape latent, ConditioningShape conditioning, int rows)
    {
        var now = new Shape(latent, conditioning);
        if (now != shape)
        {
            shape = now;
            Prepare(rows, changed: true);
        }
        else if (rows > rowsToRun)
        {
            Prepare(Math.Max(rows, Math.Min(2 * rowsToRun, largestRun.GetValueOrDefault(shape))), changed: true);
        }
        else if (wastedTime > preparationTime)
        {
            var fewer = Math.Max(rows, maxRequestedRows);
            Prepare(fewer, changed: fewer != rowsToRun);
        }
        requestedRows = rows;
        maxRequestedRows = Math.Max(maxRequestedRows, rows);
        return rowsToRun;
    }

    /// <summary>Reports the duration of the run that <see cref="RowsFor"/> was called for last.</summary>
    public void OnRan(TimeSpan duration)
    {
        var key = (shape, rowsToRun);
        largestRun[shape] = Math.Max(largestRun.GetValueOrDefault(shape), rowsToRun);
        if (isFirstRun)
        {
            (isFirstRun, firstRunTime) = (false, duration);
            return;
        }
        if (!stepTimes.TryGetValue(key, out var least) || duration < least)
            stepTimes[key] = least = duration;
        if (firstRunTime is { } first)
            (preparationTime, firstRunTime) = (first > least ? first - least : TimeSpan.Zero, null);
        wastedTime += TimeOfPadding(least);
    }

    /// <summary>Reports that the last number of rows did not fit. It is not run again unless so many are needed.</summary>
    public void OnOutOfMemory()
    {
        largestRun[shape] = requestedRows < rowsToRun ? requestedRows : requestedRows / 2;
        Prepare(0, changed: true);
    }

    void Prepare(int rows, bool changed)
    {
        if (changed)
            (rowsToRun, isFirstRun, firstRunTime) = (rows, true, null);
        (wastedTime, maxRequestedRows) = (TimeSpan.Zero, 0);
    }

    // What the padded rows cost: the difference to the nearest smaller number of rows with a measured time, else their share of the rows.
    TimeSpan TimeOfPadding(TimeSpan all)
    {
        if (requestedRows == rowsToRun)
            return TimeSpan.Zero;
        for (var rows = requestedRows; rows > 0; rows--)
        {
            if (stepTimes.TryGetValue((shape, rows), out var fewer))
                return fewer < all ? all - fewer : TimeSpan.Zero;
        }

        return all * (rowsToRun - requestedRows) / rowsToRun;
    }
}
