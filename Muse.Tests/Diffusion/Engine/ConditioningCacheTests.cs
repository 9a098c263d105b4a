using Muse.Diffusion;

namespace Muse.Tests.Diffusion.Engine;

public class ConditioningCacheTests
{
    [Theory]
    // Four values each, limited by number or by values.
    [InlineData(2, 1000, new[] { "a", "b", "c", "a" })]
    [InlineData(100, 11, new[] { "a", "b", "c", "a" })]
    [InlineData(100, 12, new[] { "a", "b", "c" })]
    // The newest is kept however large it is.
    [InlineData(100, 3, new[] { "a", "b", "c", "a" })]
    public void What_was_used_least_recently_leaves_when_there_are_too_many(int capacity, long maxValues, string[] encoded)
    {
        var cache = new ConditioningCache(capacity, maxValues);
        var made = new List<string>();
        foreach (var text in new[] { "a", "b", "c", "c", "a" })
            Get(text);
        Assert.Equal(encoded, made);

        void Get(string text) => cache.GetOrAdd(new(text, null), key =>
        {
            made.Add(key.Text!);
            return new Conditioning([new("states", new float[4], 2, 2)]);
        });
    }
}
