using System.Globalization;
using System.Runtime.InteropServices;

namespace Muse.Tests.AppHost;

/// <summary>Looks at the machine's processes (Linux).</summary>
static class Processes
{
    public const int SigTerm = 15, SigKill = 9;

    /// <summary>Whether it runs: a zombie, ended and not yet collected by its parent, does not.</summary>
    public static bool Alive(int id) => Read(id) is { State: not ('Z' or 'X') };

    /// <summary>All that a process started, with what these started, in whatever session, and what lives in these sessions.</summary>
    public static IReadOnlyList<int> Offspring(int root)
    {
        var all = Directory.GetDirectories("/proc").Select(folder => int.TryParse(Path.GetFileName(folder), out var id) ? Read(id) : null).OfType<Entry>().ToList();
        var found = new HashSet<int>();
        for (var before = -1; before != found.Count;)
        {
            before = found.Count;
            foreach (var entry in all)
            {
                if (entry.Id != root && (entry.Parent == root || found.Contains(entry.Parent) || found.Contains(entry.Session)))
                    found.Add(entry.Id);
            }
        }
        return [.. found];
    }

    /// <summary>Waits for a condition.</summary>
    public static async Task UntilAsync(Func<bool> condition, TimeSpan limit)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(20));
        using var late = new CancellationTokenSource(limit);
        while (!condition())
            await timer.WaitForNextTickAsync(late.Token);
    }

    [DllImport("libc", EntryPoint = "kill")]
    public static extern int Kill(int process, int signal);

    static Entry? Read(int id)
    {
        try
        {
            // pid (name, which may hold anything) state ppid pgrp session …
            var line = File.ReadAllText($"/proc/{id}/stat");
            var fields = line[(line.LastIndexOf(')') + 2)..].Split(' ');
            return new(id, fields[0][0], int.Parse(fields[1], CultureInfo.InvariantCulture), int.Parse(fields[3], CultureInfo.InvariantCulture));
        }
        catch (IOException) { return null; } // It ended meanwhile.
    }

    sealed record Entry(int Id, char State, int Parent, int Session);
}
