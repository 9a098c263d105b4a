using Xunit.Abstractions;

[assembly: TestCollectionOrderer("Muse.Tests.Infrastructure.LongestFirst", "Muse.Tests")]

namespace Muse.Tests.Infrastructure;

/// <summary>Starts the collections that take minutes first, so that none of them runs alone at the end.</summary>
public sealed class LongestFirst : ITestCollectionOrderer
{
    static readonly string[] Longest =
    [
        "Browser", "AppHostTests", "AppHostUnderLoadTests", "ChaosTests", "FailoverTests", "ImageTests", "WebhookTests",
        "ProgramStartTests", "LatentEncoderTests", "ObjectStoreTests",
    ];

    public IEnumerable<ITestCollection> OrderTestCollections(IEnumerable<ITestCollection> testCollections) =>
        testCollections.OrderBy(Position);

    static int Position(ITestCollection collection)
    {
        var position = Array.FindIndex(Longest, name => collection.DisplayName.Contains(name, StringComparison.Ordinal));
        return position < 0 ? Longest.Length : position;
    }
}
