using System.Runtime.Versioning;

namespace Muse.Tests.AppHost;

/// <summary>Looks at the processes of this machine (Linux).</summary>
[UnsupportedOSPlatform("windows")]
static class Processes
{
    /// <summary>Whether it runs. A zombie, which has ended and was not yet collected by its parent, does not.</summary>
    public static bool IsAlive(int id)
    {
        try
        {
            // pid (name, which may hold anything) state …
            var line = File.ReadAllText($"/proc/{id}/stat");
            return line[line.LastIndexOf(')') + 2] is not ('Z' or 'X');
        }
        catch (IOException)
        {
            return false; // It ended meanwhile.
        }
    }

    /// <summary>All that run.</summary>
    public static IEnumerable<int> All => Directory.GetDirectories("/proc").Select(Path.GetFileName)
        .Select(name => int.TryParse(name, out var id) ? id : 0).Where(id => id > 0 && IsAlive(id));

    /// <summary>Whether a process was started with <c>NAME=value</c>.</summary>
    public static bool HasEnvironment(int id, string variable) => Read(id, "environ").Split('\0').Contains(variable);

    /// <summary>The folder that it works in, or null.</summary>
    public static string? WorkingFolder(int id)
    {
        try
        {
            return new FileInfo($"/proc/{id}/cwd").LinkTarget;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return null; // It ended meanwhile, or belongs to another user.
        }
    }

    /// <summary>Its command line.</summary>
    public static string Command(int id) => Read(id, "cmdline").Replace('\0', ' ');

    /// <summary>Waits for a condition.</summary>
    /// <exception cref="TimeoutException">It did not come true in time.</exception>
    public static async Task UntilAsync(Func<bool> condition, TimeSpan limit, Func<string>? describe = null)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(200));
        using var late = new CancellationTokenSource(limit);
        while (!condition())
        {
            if (late.IsCancellationRequested)
                throw new TimeoutException(describe?.Invoke() ?? "The condition did not come true in time.");
            await timer.WaitForNextTickAsync(CancellationToken.None);
        }
    }

    static string Read(int id, string file)
    {
        try
        {
            return File.ReadAllText($"/proc/{id}/{file}");
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return ""; // It ended meanwhile, or belongs to another user.
        }
    }
}
