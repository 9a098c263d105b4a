namespace Muse.Tests.Api;

/// <summary>Memory of this process during a long run: whether it still grows at the end.</summary>
/// <param name="runs">How many requests the run has.</param>
sealed class MemoryTrend(int runs)
{
    const int Samples = 32;

    /// <summary>By how much memory may grow from the third quarter of a run to the last, bytes.</summary>
    const long ManagedGrowth = 4 << 20, ResidentGrowth = 48 << 20;

    readonly List<long> managed = [], resident = [];

    /// <summary>Takes a sample where one is due.</summary>
    public void Add(int run)
    {
        if (run * Samples / runs <= managed.Count)
            return;
        GC.Collect();
        GC.WaitForPendingFinalizers();
        managed.Add(GC.GetTotalMemory(forceFullCollection: true));
        resident.Add(Environment.WorkingSet);
    }

    /// <summary>Fails where memory grew. Only for a process that runs nothing else beside.</summary>
    public void AssertSteady()
    {
        AssertSteady("Managed memory", managed, ManagedGrowth);
        AssertSteady("Resident memory", resident, ResidentGrowth);
    }

    public override string ToString() => $"memory in MB, managed: {InMegabytes(managed)}; resident: {InMegabytes(resident)}";

    // The first half warms up: caches, pools and connections reach their size.
    static void AssertSteady(string what, List<long> samples, long growth)
    {
        var (third, last) = (samples[(samples.Count / 2)..(samples.Count * 3 / 4)].Min(), samples[(samples.Count * 3 / 4)..].Min());
        Assert.True(last < third + growth, $"{what} grew from {third} bytes in the third quarter to {last} in the last.");
    }

    static string InMegabytes(List<long> samples) => string.Join(' ', samples.Select(bytes => bytes >> 20));
}
