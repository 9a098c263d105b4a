namespace Aspire.Hosting.Running;

/// <summary>One stream of all resources' log lines, each with its resource's name before it, in the resource's colour.</summary>
sealed class ConsoleLog
{
    static readonly int[] Colours = [36, 33, 35, 32, 34, 96, 93, 95, 92, 94];

    readonly Lock gate = new();
    readonly Dictionary<string, int> known = [];
    readonly bool colour = !Console.IsOutputRedirected && Environment.GetEnvironmentVariable("NO_COLOR") is null or ""
        || Environment.GetEnvironmentVariable("FORCE_COLOR") is { Length: > 0 };
    int width = 10;

    /// <summary>Writes a line.</summary>
    public void Write(string resource, string line)
    {
        lock (gate)
        {
            width = Math.Max(width, resource.Length);
            if (!known.TryGetValue(resource, out var index))
                known[resource] = index = known.Count;
            var name = resource.PadRight(width);
            Console.Out.WriteLine(colour ? $"\e[{Colours[index % Colours.Length]}m{name} |\e[0m {line}" : $"{name} | {line}");
        }
    }
}
