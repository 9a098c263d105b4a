using Muse.Tests.Infrastructure;
using Xunit.Abstractions;

[assembly: TestCollectionOrderer($"{nameof(Muse)}.{nameof(Muse.Tests)}.{nameof(Muse.Tests.Infrastructure)}.{nameof(LongestFirst)}", "Muse.Tests")]

namespace Muse.Tests.Infrastructure;

/// <summary>Starts the collections that take minutes first, so that none of them runs alone at the end.</summary>
public sealed class LongestFirst : ITestCollectionOrderer
{
    static readonly string[] Longest = ["Browser", "AppHostTests", "ChaosTests"];

    public IEnumerable<ITestCollection> OrderTestCollections(IEnumerable<ITestCollection> testCollections) =>
        testCollections.OrderBy(collection => Array.FindIndex(Longest, name => collection.DisplayName.Contains(name, StringComparison.Ordinal))
            is >= 0 and var place ? place : Longest.Length);
}
