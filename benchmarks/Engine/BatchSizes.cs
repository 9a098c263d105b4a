using System.Diagnostics;
using Muse.Diffusion;

namespace Muse.Benchmarks;

/// <summary>Throughput with 1, 2, 4, 8 and 12 requests in the batch.</summary>
static class BatchSizes
{
    public static async Task RunAsync(Report report, string name, Func<IDiffusionModel> open, int steps, int rounds)
    {
        report.Heading($"Images a second by batch size: {name}, {steps} steps with guidance");
        report.Columns("batch", "images/s", "against 1");
        double single = 0;
        foreach (var size in (int[])[1, 2, 4, 8, 12])
        {
            await using var engine = await Models.StartAsync(open(), new EngineOptions { MaxBatchSize = size, CheckpointEvery = 0 });
            var count = size * rounds;
            var clock = Stopwatch.StartNew();
            var feeding = Models.FeedAsync(engine, _ => steps, count, CancellationToken.None);
            for (var done = 0; done < count;)
            {
                if (await engine.Events.ReadAsync() is EngineEvent.Completed)
                    done++;
            }

            await feeding;
            var perSecond = count / clock.Elapsed.TotalSeconds;
            if (size == 1)
                single = perSecond;
            report.Row($"{size}", $"{perSecond:F2}", $"{perSecond / single:F2}");
        }
    }
}
