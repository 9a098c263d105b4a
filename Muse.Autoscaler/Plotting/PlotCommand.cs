using System.Text.Json;

namespace Muse.Autoscaler;

/// <summary>The command <c>plot</c>: the picture of a real run, from the decisions that Redis kept of it.</summary>
public static class PlotCommand
{
    const string Usage = "plot --out FOLDER [--title TEXT] [--count DECISIONS] [--from DECISIONS.json]";
    static readonly JsonSerializerOptions Json = new() { WriteIndented = true };

    /// <summary>Reads the decisions from Redis, or from the file of an earlier call, and writes <c>decisions.json</c> and <c>decisions.png</c>.</summary>
    /// <returns>The exit status: 0, 1 where there is nothing to draw, 2 for arguments that it does not understand.</returns>
    public static async Task<int> RunAsync(string[] arguments, Func<int, Task<IReadOnlyList<ScalingDecision>>> newest, TextWriter output, TextWriter errors)
    {
        try
        {
            var options = Arguments.Parse(arguments, Usage);
            var (folder, from, count) = (options.Text("out", ""), options.Text("from", ""), (int)options.Number("count", 1000));
            var title = options.Text("title", "Recorded decisions");
            options.RefuseUnknown();
            if (folder.Length == 0)
                throw new ArgumentException(Usage);
            var decisions = from.Length > 0
                ? JsonSerializer.Deserialize<List<ScalingDecision>>(await File.ReadAllTextAsync(from), Json)!
                : [.. (await newest(count)).OrderBy(decision => decision.At)];
            if (decisions.Count == 0)
            {
                errors.WriteLine("No decision was recorded.");
                return 1;
            }
            Directory.CreateDirectory(folder);
            var (list, picture) = (Path.Combine(folder, "decisions.json"), Path.Combine(folder, "decisions.png"));
            await File.WriteAllTextAsync(list, JsonSerializer.Serialize(decisions, Json));
            ScalingPlot.Save(picture, title, "arriving a second", Points(decisions));
            output.WriteLine($"{decisions.Count} decisions: {list}, {picture}");
            return 0;
        }
        catch (ArgumentException e)
        {
            errors.WriteLine(e.Message);
            return 2;
        }
    }

    /// <summary>Each decision as a moment; the level is what arrived since the one before.</summary>
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
