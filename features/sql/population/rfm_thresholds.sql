-- one row per population as of :as_of: from where on recency, frequency and amount are high, and have scores 2 to 5
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

-- customers who are equal stay together: the cut is the value that parts them most nearly into halves, and of two
-- such values the higher one
halved as (
    select
        measure,
        value,
        lower,
        everybody,
        row_number() over (
            partition by measure, case when lower > 0 then 1 else 0 end
            order by abs(2 * lower - everybody), value desc
        ) as place
    from placed
)

select
    cast(coalesce(max(everybody), 0) as bigint) as customers,
    max(case when measure = 'recency' and place = 1 and lower > 0 then value end) as recency_high,
    cast(max(case when measure = 'recency' and place = 1 and lower > 0 then everybody - lower end) as bigint)
        as recency_high_customers,
    min(case when measure = 'recency' and 5 * lower >= everybody then value end) as recency_2,
    min(case when measure = 'recency' and 5 * lower >= 2 * everybody then value end) as recency_3,
    min(case when measure = 'recency' and 5 * lower >= 3 * everybody then value end) as recency_4,
    min(case when measure = 'recency' and 5 * lower >= 4 * everybody then value end) as recency_5,
    max(case when measure = 'frequency' and place = 1 and lower > 0 then value end) as frequency_high,
    cast(max(case when measure = 'frequency' and place = 1 and lower > 0 then everybody - lower end) as bigint)
        as frequency_high_customers,
    min(case when measure = 'frequency' and 5 * lower >= everybody then value end) as frequency_2,
    min(case when measure = 'frequency' and 5 * lower >= 2 * everybody then value end) as frequency_3,
    min(case when measure = 'frequency' and 5 * lower >= 3 * everybody then value end) as frequency_4,
    min(case when measure = 'frequency' and 5 * lower >= 4 * everybody then value end) as frequency_5,
    max(case when measure = 'amount' and place = 1 and lower > 0 then value end) as amount_high,
    cast(max(case when measure = 'amount' and place = 1 and lower > 0 then everybody - lower end) as bigint)
        as amount_high_customers,
    min(case when measure = 'amount' and 5 * lower >= everybody then value end) as amount_2,
    min(case when measure = 'amount' and 5 * lower >= 2 * everybody then value end) as amount_3,
    min(case when measure = 'amount' and 5 * lower >= 3 * everybody then value end) as amount_4,
    min(case when measure = 'amount' and 5 * lower >= 4 * everybody then value end) as amount_5
from halved
