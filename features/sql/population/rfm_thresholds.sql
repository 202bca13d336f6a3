-- one row per population as of :as_of: by what it is split, from where on recency, frequency and amount are high, and have scores 2 to 5
with counted as (
    select
        'recency' as measure,
        cast(recency as decimal(18, 4)) as value,
        count(*) as customers
    from rfm_active
    group by recency
    union all
    select
        'frequency' as measure,
        cast(frequency as decimal(18, 4)) as value,
        count(*) as customers
    from rfm_active
    group by frequency
    union all
    select
        'amount' as measure,
        amount as value,
        count(*) as customers
    from rfm_active
    group by amount
),

placed as (
    select
        measure,
        value,
        customers,
        sum(customers) over (partition by measure order by value) - customers as lower,
        sum(customers) over (partition by measure) as everybody
    from counted
),

scored as (
    select
        measure,
        value,
        customers,
        lower,
        everybody,
        1 + case when 5 * lower >= everybody then 1 else 0 end
        + case when 5 * lower >= 2 * everybody then 1 else 0 end
        + case when 5 * lower >= 3 * everybody then 1 else 0 end
        + case when 5 * lower >= 4 * everybody then 1 else 0 end as score
    from placed
),

summed as (
    select
        measure,
        value,
        lower,
        everybody,
        score,
        sum(customers * score) over (partition by measure) as all_scores
    from scored
),

-- customers who are equal stay together: the cut is the value that parts them most nearly into halves, and of two
-- such values the higher one; or the first value whose score is above the mean score
parted as (
    select
        measure,
        value,
        lower,
        everybody,
        all_scores,
        case when :by_score then score * everybody > all_scores else lower > 0 end as parts,
        case when :by_score then lower else abs(2 * lower - everybody) end as away
    from summed
),

halved as (
    select
        measure,
        value,
        lower,
        everybody,
        all_scores,
        parts,
        row_number() over (partition by measure, parts order by away, value desc) as place
    from parted
)

select
    case when :by_score then 'score' else 'median' end as split,
    cast(coalesce(max(everybody), 0) as bigint) as customers,
    max(case when measure = 'recency' and place = 1 and parts then value end) as recency_high,
    cast(max(case when measure = 'recency' and place = 1 and parts then everybody - lower end) as bigint)
        as recency_high_customers,
    cast(max(case when measure = 'recency' then all_scores end) as bigint) as recency_all_scores,
    min(case when measure = 'recency' and 5 * lower >= everybody then value end) as recency_2,
    min(case when measure = 'recency' and 5 * lower >= 2 * everybody then value end) as recency_3,
    min(case when measure = 'recency' and 5 * lower >= 3 * everybody then value end) as recency_4,
    min(case when measure = 'recency' and 5 * lower >= 4 * everybody then value end) as recency_5,
    max(case when measure = 'frequency' and place = 1 and parts then value end) as frequency_high,
    cast(max(case when measure = 'frequency' and place = 1 and parts then everybody - lower end) as bigint)
        as frequency_high_customers,
    cast(max(case when measure = 'frequency' then all_scores end) as bigint) as frequency_all_scores,
    min(case when measure = 'frequency' and 5 * lower >= everybody then value end) as frequency_2,
    min(case when measure = 'frequency' and 5 * lower >= 2 * everybody then value end) as frequency_3,
    min(case when measure = 'frequency' and 5 * lower >= 3 * everybody then value end) as frequency_4,
    min(case when measure = 'frequency' and 5 * lower >= 4 * everybody then value end) as frequency_5,
    max(case when measure = 'amount' and place = 1 and parts then value end) as amount_high,
    cast(max(case when measure = 'amount' and place = 1 and parts then everybody - lower end) as bigint)
        as amount_high_customers,
    cast(max(case when measure = 'amount' then all_scores end) as bigint) as amount_all_scores,
    min(case when measure = 'amount' and 5 * lower >= everybody then value end) as amount_2,
    min(case when measure = 'amount' and 5 * lower >= 2 * everybody then value end) as amount_3,
    min(case when measure = 'amount' and 5 * lower >= 3 * everybody then value end) as amount_4,
    min(case when measure = 'amount' and 5 * lower >= 4 * everybody then value end) as amount_5
from halved
