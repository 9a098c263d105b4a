using System.Text.Json;

namespace Muse.Autoscaler.Simulator;

/// <summary>The command <c>plot</c>: draws the scaling decisions of a real run, which Redis keeps.</summary>
public static class PlotCommand
{
    /// <summary>How to call it.</summary>
    public const string Usage = "plot --out FOLDER [--title TEXT] [--count DECISIONS] [--from DECISIONS.json]";
    static readonly JsonSerializerOptions Json = new() { WriteIndented = true };

    /// <summary>
    /// Reads the decisions from Redis, or from the file of an earlier call. Writes <c>decisions.json</c> and <c>decisions.png</c>.
    /// </summary>
    /// <param name="arguments">The command line after <c>plot</c>.</param>
    /// <param name="readNewest">Reads so many of the newest decisions from Redis.</param>
    /// <param name="output">Standard output.</param>
    /// <param name="errors">Standard error.</param>
    /// <returns>The exit code: 0; 1 where there is nothing to draw; 2 for invalid arguments.</returns>
    public static async Task<int> RunAsync(
        string[] arguments, Func<int, Task<IReadOnlyList<ScalingDecision>>> readNewest, TextWriter output, TextWriter errors)
    {
        try
        {
            var options = Arguments.Parse(arguments, Usage);
            var (folder, from, count) = (options.Text("out", ""), options.Text("from", ""), (int)options.Number("count", 1000));
            var title = options.Text("title", "Recorded decisions");
            options.RejectUnknown();
            if (folder.Length == 0)
                throw new ArgumentException(Usage);
            var decisions = from.Length > 0
                ? JsonSerializer.Deserialize<List<ScalingDecision>>(await File.ReadAllTextAsync(from), Json)!
                : [.. (await readNewest(count)).OrderBy(decision => decision.At)];
            if (decisions.Count == 0)
            {
                errors.WriteLine("No decision was recorded.");
                return 1;
            }
            Directory.CreateDirectory(folder);
            var (list, image) = (Path.Combine(folder, "decisions.json"), Path.Combine(folder, "decisions.png"));
            await File.WriteAllTextAsync(list, JsonSerializer.Serialize(decisions, Json));
            ScalingPlot.Save(image, title, "arriving a second", Points(decisions));
            output.WriteLine($"{decisions.Count} decisions: {list}, {image}");
            return 0;
        }
        catch (ArgumentException e)
        {
            errors.WriteLine(e.Message);
            return 2;
        }
    }

    /// <summary>One point per decision. Its load is the arrivals per second since the previous decision.</summary>
    public static IReadOnlyList<PlotPoint> Points(IReadOnlyList<ScalingDecision> decisions) =>
        [.. decisions.Select((decision, i) => new PlotPoint(
            (decision.At - decisions[0].At).TotalSeconds,
            i == 0 ? 0 : Rate(decisions[i - 1], decision),
            decision.Measured.Waiting + decision.Measured.Pending, decision.Workers, Ready: -1))];

    static double Rate(ScalingDecision before, ScalingDecision after)
    {
        var seconds = (after.At - before.At).TotalSeconds;
        return seconds > 0 ? Math.Max(0, after.Measured.Arrivals - before.Measured.Arrivals) / seconds : 0;
    }
}
